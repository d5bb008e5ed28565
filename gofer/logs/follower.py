"""Reads one log: what is there, then what comes, until its task run has ended."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

from gofer.core.errors import NotFound
from gofer.logs.files import LogFiles, count_newlines, is_deleted, offset_of_last_lines, open_for_reading, read_at

T = TypeVar("T")

BLOCK_BYTES: Final = 64 * 1024
_LOOK_AGAIN: Final = timedelta(seconds=5)  # whether somebody removed the file; our own removal is told at once


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBlock:
    """Bytes of a log, at most 64 KiB, and where they begin in it.

    `first_line` is the number, from 1, of the line in which they begin; 0 where it was not asked for.
    """

    offset_bytes: int
    data: bytes
    first_line: int = 0


class LogFollower:
    """One reader of one log; made by `LogStore.following`. Its own pace is nobody else's matter."""

    def __init__(
        self, files: LogFiles, *, name: str, live_size: Callable[[], int | None], threads: Executor | None = None
    ) -> None:
        """`live_size` tells the size of a log that is being written; None where nobody writes it.

        `threads` read, or those of the loop.
        """
        self._files = files
        self._threads = threads
        self._name = name
        self._live_size = live_size
        self._wake = asyncio.Event()
        self._ended = False
        self._complete = False
        self._gone = False

    def wake(self) -> None:
        """Tell that the log has grown."""
        self._wake.set()

    def end(self) -> None:
        """Tell that nothing more will come: the reader ends after all that is there."""
        self._complete = True
        self.leave_off()

    def leave_off(self) -> None:
        """Have the reader end after what is there now, though more may come."""
        self._ended = True
        self._wake.set()

    def lose(self) -> None:
        """Tell that the log was deleted: the reader ends with `NotFound`."""
        self._gone = True
        self._wake.set()

    async def check_exists(self) -> None:
        """Raise `NotFound` where there is no log."""
        if not await self._aside(self._files.log.exists):
            raise self._not_found()

    async def offset_of_last_lines(self, lines: int) -> int:
        """Give the offset at which the last lines of what is there now begin; 0 where there are fewer, or no log."""
        return await self._look(lambda file, size: offset_of_last_lines(file, size, lines))

    async def line_number(self, offset_bytes: int) -> int:
        """Give the number, from 1, of the line in which an offset lies."""
        return 1 + await self._look(lambda file, size: count_newlines(file, min(size, offset_bytes)))

    async def numbered_blocks(self, *, offset_bytes: int = 0) -> AsyncGenerator[LogBlock, None]:
        """Give what `blocks` gives, each block with its first line; what lies before the offset is read once for that.

        Raises as `blocks`.
        """
        line = 0
        async with aclosing(self.blocks(offset_bytes=offset_bytes)) as blocks:
            async for block in blocks:
                line = line or await self.line_number(block.offset_bytes)
                yield replace(block, first_line=line)
                line += block.data.count(b"\n")

    async def blocks(self, *, offset_bytes: int = 0) -> AsyncGenerator[LogBlock, None]:
        """Give the log from an offset on, in blocks of at most 64 KiB; close the iterator to leave early.

        A log that is not there is an empty one until it is written. Raises `NotFound` once it is deleted.
        """
        at = offset_bytes
        file: int | None = None
        try:
            while True:
                self._wake.clear()
                ended = self._ended  # looked at before the log is: what was written before the end is given
                if file is None:
                    file = await self._opened()
                data = b"" if file is None else await self._read(file, at)
                if self._gone:
                    raise self._not_found()
                if data:
                    yield LogBlock(offset_bytes=at, data=data)
                    at += len(data)
                elif ended:
                    await self._check_there(file)
                    return
                else:
                    await self._wait(file)
        finally:
            if file is not None:
                # A cancelled read may still go on in its thread; it only reads, and gives its bytes to nobody.
                os.close(file)

    async def _opened(self) -> int | None:
        opening = self._aside(lambda: open_for_reading(self._files.log))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_drop)
            raise

    async def _read(self, file: int, at: int) -> bytes:
        limit, live = self._limit(), self._live_size()
        if live is not None and live <= at:
            return b""

        def read() -> bytes:
            return read_at(file, min(BLOCK_BYTES, limit(file) - at), at)

        return await self._aside(read)

    def _limit(self) -> Callable[[int], int]:
        """Give what tells how much of the opened log may be shown, in a thread.

        After a crash there may be more than will stay: who goes on with the log cuts it and writes something else.
        """
        live = self._live_size()
        if live is not None:
            return lambda _: live
        return _size_bytes if self._complete else self._files.recorded_bytes

    async def _wait(self, file: int | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN.total_seconds()):
                await self._wake.wait()
                return
        await self._check_there(file)

    async def _check_there(self, file: int | None) -> None:
        """Raise `NotFound` where somebody has removed the file: what was written since is in another."""
        if file is not None and await self._aside(lambda: is_deleted(file)):
            raise self._not_found()

    async def _look(self, look: Callable[[int, int], int]) -> int:
        limit = self._limit()

        def open_and_look() -> int:
            file = open_for_reading(self._files.log)
            if file is None:
                return 0
            try:
                return look(file, limit(file))
            finally:
                os.close(file)

        return await self._aside(open_and_look)

    def _aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _not_found(self) -> NotFound:
        return NotFound(f"the logs of {self._name} are gone: they were deleted", task_run=self._name)


def _size_bytes(file: int) -> int:
    return os.fstat(file).st_size


def _drop(opening: asyncio.Future[int | None]) -> None:
    file = None if opening.exception() is not None else opening.result()
    if file is not None:
        os.close(file)
