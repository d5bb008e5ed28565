"""Reads one log: what is there, then what comes, until its task run has ended."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gofer.logs.files import offset_of_last_lines, settled_size

BLOCK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBlock:
    """Bytes of a log, and where they begin in it."""

    offset_bytes: int
    data: bytes


class LogFollower:
    """One reader of one log; made by `LogStore.following`. Its own pace is nobody else's matter."""

    def __init__(self, path: Path, *, live_size: Callable[[], int | None]) -> None:
        """`live_size` tells the size of a log that is being written; None where nobody writes it."""
        self._path = path
        self._live_size = live_size
        self._wake = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """Tell that the log has grown."""
        self._wake.set()

    def end(self) -> None:
        """Tell that nothing more will come: the reader ends after what is there."""
        self._ended = True
        self._wake.set()

    async def offset_of_last_lines(self, lines: int) -> int:
        """Give the offset at which the last lines of what is there now begin."""
        size = await self._size()
        return await asyncio.to_thread(offset_of_last_lines, self._path, size, lines) if size else 0

    async def blocks(self, *, offset_bytes: int = 0) -> AsyncGenerator[LogBlock, None]:
        """Give the log from an offset on, in blocks of at most 64 KiB; close the iterator to leave early."""
        at = offset_bytes
        descriptor: int | None = None
        try:
            while True:
                self._wake.clear()
                ended = self._ended  # looked at before the size: what is written before the end is given
                size = await self._size()
                while size > at:
                    if descriptor is None:
                        descriptor = await asyncio.to_thread(os.open, self._path, os.O_RDONLY | os.O_CLOEXEC)
                    data = await asyncio.to_thread(os.pread, descriptor, min(BLOCK_BYTES, size - at), at)
                    if not data:
                        return  # cut short from outside: there is no more to give
                    yield LogBlock(offset_bytes=at, data=data)
                    at += len(data)
                if ended:
                    return
                await self._wake.wait()
        finally:
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)

    async def _size(self) -> int:
        live = self._live_size()
        if live is not None:
            return live
        return await asyncio.to_thread(settled_size, self._path) or 0
