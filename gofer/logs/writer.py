"""Writes one log: what arrives while the disk is busy goes out together."""

import asyncio
from collections.abc import Callable
from typing import Final

from gofer.core.output import LogChunk, LogCursor
from gofer.logs.files import OpenLog, Place

MAX_WAITING_BYTES: Final = 1024 * 1024
"""How much may wait for the disk before `append` does."""


class LogWriter:
    """Appends to one log; made by `LogStore.writer`. One caller at a time."""

    def __init__(self, files: OpenLog, *, written: Callable[[int], None]) -> None:
        """`written` is told the log's size after every write."""
        self._files = files
        self._written = written
        self._cursor = files.place.cursor  # of all that was appended
        self._size = files.place.size_bytes
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ending = False

    @property
    def cursor(self) -> LogCursor:
        """How many raw bytes of each stream are in the log, or wait to be."""
        return self._cursor

    async def append(self, chunk: LogChunk) -> None:
        """Take a chunk; waits only while too much waits for the disk."""
        if not chunk.data:
            return
        size = len(chunk.data)
        self._cursor = self._cursor.after(chunk.stream, size)
        self._parts.append(chunk.data)
        self._waiting_bytes += size
        self._work.set()
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Let `run` return when all is written."""
        self._ending = True
        self._work.set()

    async def run(self) -> None:
        """Write until ended. Raises `OSError` where the disk refuses; what is whole in the files then stays whole."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._parts:
                await self._write_waiting()
            if self._ending:
                return

    async def _write_waiting(self) -> None:
        parts, self._parts, self._waiting_bytes = self._parts, [], 0
        self._room.set()
        self._size += sum(map(len, parts))
        place = Place(size_bytes=self._size, cursor=self._cursor)
        await asyncio.to_thread(self._files.append, parts, place)
        self._written(place.size_bytes)
