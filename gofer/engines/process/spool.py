"""Following a spool file that another process appends to."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from gofer.core.output import LogChunk, LogStream
from gofer.engines.process.inotify import FileChanges
from gofer.engines.process.watch import Watch

_READ_BYTES: Final = 256 * 1024
_SAFETY_LOOK: Final = timedelta(seconds=5)  # changes are told; this is for a file system that tells of none
_FIRST_LOOK: Final = timedelta(milliseconds=5)
_LAST_LOOK: Final = timedelta(milliseconds=50)


class SpoolReader:
    """Gives what a spool holds from an offset on, and what comes, until the watch says that its writer has ended.

    `run` runs a blocking function in a thread. `close` must be called at the end, also while a call is under way.
    """

    def __init__(self, *, changes: FileChanges, run: Callable[[Callable[[], bytes]], Awaitable[bytes]]) -> None:
        self._changes = changes
        self._run = run
        self._watch: Watch | None = None
        self._changed = asyncio.Event()
        self._fd = -1
        self._number = -1
        self._off: Callable[[], None] = lambda: None
        self._closed = False

    def attach(self, fd: int, path: Path, watch: Watch) -> None:
        """Take the opened file over, to be followed as long as the watch says."""
        if self._closed:
            os.close(fd)
            return
        self._fd = fd
        self._watch = watch
        self._number = self._changes.listen(path, self._changed.set)
        self._off = watch.on_end(self._changed.set)

    def close(self) -> None:
        """Release the file and the watch on it."""
        self._closed = True
        self._off()
        self._changes.leave(self._number, self._changed.set)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def follow(self, offset: int) -> AsyncGenerator[LogChunk, None]:
        """Give the bytes from the offset on, in chunks."""
        patience = _FIRST_LOOK
        while True:
            # What changes after these two lines is told by the event, and what was written before the end is read.
            self._changed.clear()
            ended = self._watch is None or self._watch.ended.is_set()
            data = await self._read(offset)
            if data:
                offset += len(data)
                patience = _FIRST_LOOK
                yield LogChunk(stream=LogStream.STDOUT, data=data)
            elif ended:
                return
            else:
                await self._wait(_SAFETY_LOOK if self._number >= 0 else patience)
                patience = min(patience * 2, _LAST_LOOK)

    async def _wait(self, at_most: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most.total_seconds()):
                await self._changed.wait()

    async def _read(self, offset: int) -> bytes:
        fd = self._fd
        # A cancelled read may still go on in its thread when the file is closed; it gives its bytes to nobody then.
        return await self._run(lambda: os.pread(fd, _READ_BYTES, offset))
