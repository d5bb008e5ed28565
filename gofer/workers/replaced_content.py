"""Deletes the content of objects that were replaced, after those who replaced it have their answers.

What waits for it is in memory only: no record names it any more, so that what a crash leaves of it is swept at the next
start.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from gofer.core.ids import BlobId
from gofer.services.object_blobs import ObjectBlobs

GATHER: Final = timedelta(milliseconds=50)
"""After something was replaced, for more of it: a store deletes many at once about as fast as one."""
MOST_WAITING: Final = 1000
_AT_ONCE: Final = 50


class ReplacedContent:
    """Looks after what was replaced, for as long as the server runs; ready at once."""

    name = "replaced content"

    def __init__(self, *, blobs: ObjectBlobs, most_waiting: int = MOST_WAITING) -> None:
        """Let at most `most_waiting` wait; whoever replaces one more deletes it himself, before his answer."""
        self._blobs = blobs
        self._most_waiting = most_waiting
        self._waiting: deque[BlobId] = deque()
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until stopped; what waits then is deleted before this returns."""
        with self._blobs.replaced_go_to(self._take):
            ready()
            while not self._stop.is_set():
                await self._wake.wait()
                self._wake.clear()
                await self._gather()
                await self._delete_all()
        await self._delete_all()

    def stop(self) -> None:
        """End soon; what can't be deleted any more is left to the next start's sweep."""
        self._stop.set()
        self._wake.set()

    def _take(self, gone: Sequence[BlobId]) -> bool:
        if len(self._waiting) + len(gone) > self._most_waiting:
            return False
        if gone:
            self._waiting.extend(gone)
            self._wake.set()
        return True

    async def _gather(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER.total_seconds()):
                await self._stop.wait()

    async def _delete_all(self) -> None:
        while self._waiting:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(self._waiting), _AT_ONCE)):
                    blob = self._waiting.popleft()
                    group.create_task(self._blobs.delete(blob), name=f"delete replaced content {blob}")
