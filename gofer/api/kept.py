"""Whole replies to reads, kept for as long as nothing is stored.

Programs and pages that watch ask the same again and again, of a server where nothing has happened meanwhile. What any
change makes obsolete needs no rule of its own for what depends on what, and no such rule can be wrong.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeAlias

Key: TypeAlias = tuple[Hashable, ...]

LIMIT_BYTES: Final = 8 * 1024 * 1024
MOST_BYTES_OF_ONE: Final = 256 * 1024
_WORTH_OF_A_KEY: Final = 500  # about how many bytes a key and its place take


class KeptReplies:
    """Replies in their wire form, at most `limit_bytes` of them. Belongs to one event loop."""

    def __init__(self, *, changes: Callable[[], int], limit_bytes: int = LIMIT_BYTES) -> None:
        """Keep what was made for as long as `changes`, a count that only rises, gives the same number."""
        self._changes = changes
        self._limit_bytes = limit_bytes
        self._kept: dict[Key, bytes] = {}
        self._kept_at = changes()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """About how much is kept."""
        return self._size_bytes

    async def of(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give what is kept under the key, else what `make` gives.

        The key must hold all that the reply depends on beside what is stored, and so its caller, whose right to it
        `make` finds out. What a request says must be in it as texts and numbers: however long these are, what is kept
        stays within its limit. What `make` raises is raised, and not kept.
        """
        began_at = self._changes()
        if began_at != self._kept_at:
            self._forget(began_at)
        found = self._kept.get(key)
        if found is None:
            found = await make()
            if self._changes() == began_at:  # else it may be older than what was stored in the meantime
                self._keep(key, found)
        return found

    def _keep(self, key: Key, reply: bytes) -> None:
        size_bytes = len(reply) + sum(len(part) for part in key if isinstance(part, str))
        if size_bytes > MOST_BYTES_OF_ONE or key in self._kept:
            return
        size_bytes += _WORTH_OF_A_KEY
        if self._size_bytes + size_bytes > self._limit_bytes:
            self._forget(self._kept_at)
        self._kept[key] = reply
        self._size_bytes += size_bytes

    def _forget(self, at: int) -> None:
        self._kept.clear()
        self._size_bytes = 0
        self._kept_at = at
