"""Writes one log: what arrives while the disk is busy goes out together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Final

from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.logs.files import NewLog, OpenLog
from gofer.logs.index import Place

MAX_WAITING_BYTES: Final = 1024 * 1024
"""How much may wait for the disk before `append` does."""


class LogWriter:
    """Appends to one log; made by `LogStore.writer`. One caller at a time.

    The files are written and closed by jobs in threads, one after the other, that no cancellation reaches: a file is
    never closed while it is being written.
    """

    def __init__(
        self,
        files: OpenLog | NewLog,
        *,
        name: str,
        on_written: Callable[[], None],
        threads: Executor | None = None,
    ) -> None:
        """`on_written` is told of every write that is done; `threads` do them, or those of the loop."""
        self._files = files
        self._threads = threads
        self._name = name
        self._on_written = on_written
        self._stdout_bytes = files.place.cursor.stdout_bytes
        self._stderr_bytes = files.place.cursor.stderr_bytes
        self._size_bytes = files.place.size_bytes
        self._written = files.place
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._job: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._progress = asyncio.Event()

    @property
    def cursor(self) -> LogCursor:
        """How many raw bytes of each stream are in the log, or wait to be: where the engine's streams go on."""
        return LogCursor(stdout_bytes=self._stdout_bytes, stderr_bytes=self._stderr_bytes)

    @property
    def size_bytes(self) -> int:
        """How much of the log is written, with its record."""
        return self._written.size_bytes

    async def append(self, chunk: LogChunk, *, raw_bytes: int | None = None) -> None:
        """Take a chunk that stands for `raw_bytes` of its stream: its own length, but where something is masked.

        Waits only while too much waits for the disk; when that is cancelled, the chunk is taken nevertheless. Raises
        `OSError` where the disk refused something: all later calls do, too, so close the log and open it again.
        """
        # Called for every line of a talkative task: plain numbers, and a record only for each write.
        data = chunk.data
        raw = len(data) if raw_bytes is None else raw_bytes
        self._check()
        if not data and not raw:
            return
        self._parts.append(data)
        self._waiting_bytes += len(data)
        self._size_bytes += len(data)
        if chunk.stream is LogStream.STDOUT:
            self._stdout_bytes += raw
        else:
            self._stderr_bytes += raw
        if self._job is None:
            self._write()
        while self._waiting_bytes > MAX_WAITING_BYTES:
            await self._progress.wait()
            self._check()

    async def flush(self) -> None:
        """Wait until all that was appended is written. Raises `OSError` as `append`."""
        while self._job is not None:
            await self._progress.wait()
        self._check()

    async def finish(self) -> None:
        """Have all that was appended on the disk, and close the files. Raises `OSError` as `append`.

        Where it raises, or is cancelled, the files are still to be closed: give up then.
        """
        await self.flush()
        place = self._written
        if place != self._files.place:
            self._run(lambda: self._files.finish(place))
            await self.flush()
        await self._close()
        self._check()

    async def give_up(self, *, grace: timedelta) -> None:
        """Write what waits if the disk takes it within the grace, and close the files, at the latest after that."""
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._close()
        except TimeoutError:
            self._drop()

    @property
    def closing(self) -> asyncio.Future[None]:
        """Done when no thread has the files any more; asking for it closes them."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
            self._close_when_idle()
        return self._closed

    async def _close(self) -> None:
        await asyncio.shield(self.closing)

    def _write(self) -> None:
        parts, self._parts, self._waiting_bytes = self._parts, [], 0
        place = Place(size_bytes=self._size_bytes, cursor=self.cursor)

        def on_done() -> None:
            self._written = place

        self._run(lambda: self._files.append(parts, place), on_done)

    def _run(self, work: Callable[[], None], on_done: Callable[[], None] = lambda: None) -> None:
        self._job = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._job.add_done_callback(lambda done: self._go_on(done, on_done))

    def _go_on(self, done: asyncio.Future[None], on_done: Callable[[], None]) -> None:
        self._job = None
        error = done.exception()
        if error is not None:
            self._error = error
            self._drop()
        else:
            on_done()
            self._on_written()
            if self._parts:
                self._write()
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()
        self._close_when_idle()

    def _drop(self) -> None:
        self._parts, self._waiting_bytes = [], 0

    def _close_when_idle(self) -> None:
        closed = self._closed
        if closed is None or self._job is not None or closed.done():
            return
        if not self._files.is_open:
            closed.set_result(None)
        else:
            closing = asyncio.get_running_loop().run_in_executor(self._threads, self._files.close)
            closing.add_done_callback(lambda done: self._end(closed, done))

    def _end(self, closed: asyncio.Future[None], done: asyncio.Future[None]) -> None:
        self._error = self._error or done.exception()
        closed.set_result(None)

    def _check(self) -> None:
        error = self._error
        if isinstance(error, OSError):
            raise OSError(error.errno, f"the log of {self._name} can't be written: {error.strerror}") from error
        if error is not None:
            raise error
