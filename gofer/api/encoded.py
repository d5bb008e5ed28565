"""Parts of replies in their wire form, kept by what they were made from.

A repeated field is its elements one after the other, so a list is what is kept of each item, joined; only what is not
kept is converted and encoded. A key must hold all that its item depends on: what changes has another key, so that
nothing is ever invalidated, and what is not asked for any more goes in the end.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, TypeAlias

import betterproto2

from gofer_sdk.codec import OFF_LOOP_BYTES, encode, rough_size
from gofer_sdk.codec.varint import unsigned

Make: TypeAlias = Callable[[], betterproto2.Message]

LIMIT_BYTES: Final = 2 * 1024 * 1024  # thousands of runs, hundreds of versions: what is watched, not all there is
MOST_BYTES_OF_ONE: Final = 64 * 1024
_LENGTH_DELIMITED: Final = 2  # protobuf's wire type of a message
_WORTH_OF_A_KEY: Final = 200  # about how many bytes a key and its place take


def element(field: int, data: bytes) -> bytes:
    """Give a field that holds an encoded message, with its tag and length."""
    return b"".join((unsigned(field << 3 | _LENGTH_DELIMITED), unsigned(len(data)), data))


class EncodedParts:
    """Elements of one field of one kind of message, at most `limit_bytes` of them. Belongs to one event loop."""

    def __init__(self, *, field: int, limit_bytes: int = LIMIT_BYTES) -> None:
        """Give each element the tag of the field."""
        self._field = field
        self._limit_bytes = limit_bytes
        self._kept: dict[Hashable, bytes] = {}  # in the order of their last use
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """About how much is kept."""
        return self._size_bytes

    async def joined(self, items: Sequence[tuple[Hashable, Make]], *, are_large: bool = False) -> bytes:
        """Give the elements of all items in their order, each with tag and length.

        Those that are large are made in a thread, not only encoded there.
        """
        found = {key: self._kept.get(key) for key, _ in items}
        missing = {key: make for key, make in items if found[key] is None}
        if missing:
            found |= await (asyncio.to_thread(self._made, missing) if are_large else self._encoded(missing))
        for key, part in found.items():
            if part is not None:
                self._keep(key, part)
        return b"".join(found[key] or b"" for key, _ in items)

    def _made(self, missing: Mapping[Hashable, Make]) -> dict[Hashable, bytes]:
        return self._elements({key: make() for key, make in missing.items()})

    async def _encoded(self, missing: Mapping[Hashable, Make]) -> dict[Hashable, bytes]:
        messages = {key: make() for key, make in missing.items()}
        if sum(map(rough_size, messages.values())) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(self._elements, messages)
        return self._elements(messages)

    def _elements(self, missing: Mapping[Hashable, betterproto2.Message]) -> dict[Hashable, bytes]:
        return {key: element(self._field, encode(message)) for key, message in missing.items()}

    def _keep(self, key: Hashable, part: bytes) -> None:
        if len(part) > MOST_BYTES_OF_ONE:
            return
        before = self._kept.pop(key, None)
        self._kept[key] = part
        if before is None:
            self._size_bytes += len(part) + _WORTH_OF_A_KEY
        while self._size_bytes > self._limit_bytes:
            oldest = next(iter(self._kept))
            self._size_bytes -= len(self._kept.pop(oldest)) + _WORTH_OF_A_KEY
