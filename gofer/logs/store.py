"""Where the logs are, who writes them, and who follows them."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from gofer.core.errors import FailedPrecondition
from gofer.core.ids import PipelineKey, TaskRunKey
from gofer.logs.files import LogFiles, NewLog, OpenLog, folder_of, remove_some_runs
from gofer.logs.follower import LogFollower
from gofer.logs.writer import LogWriter

T = TypeVar("T")

FLUSH_GRACE: Final = timedelta(seconds=5)
LOG_THREADS: Final = 8


@asynccontextmanager
async def log_threads() -> AsyncIterator[Executor]:
    """Give threads for the disk of the logs alone: where that hangs, whatever else needs a thread still gets one.

    The block is left when they have come to the end of what they do.
    """
    pool = ThreadPoolExecutor(LOG_THREADS, thread_name_prefix="gofer-logs")
    try:
        yield pool
    finally:
        await asyncio.to_thread(pool.shutdown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Which logs are not there any more, and why others are."""

    gone: frozenset[TaskRunKey]
    faults: tuple[str, ...]


class LogStore:
    """The logs of all task runs, in files below one folder: `<namespace>/<pipeline>/<run>/<task>`.

    Every method checks its key and raises `InvalidInput` for one with a part that is no id.
    """

    def __init__(self, root: Path, *, flush_grace: timedelta = FLUSH_GRACE, threads: Executor | None = None) -> None:
        """Keep the logs below `root`, which is made when the first log is written.

        All that waits for the disk is done in `threads`, or in those of the loop.
        """
        self._root = root
        self._threads = threads
        self._flush_grace = flush_grace
        self._writers: dict[TaskRunKey, LogWriter | None] = {}  # None while its files are being opened
        self._followers: dict[TaskRunKey, set[LogFollower]] = {}
        self._lingering: set[TaskRunKey] = set()  # logs whose files a thread has not let go, though their writer has

    def path(self, key: TaskRunKey) -> Path:
        """Name the file of a log."""
        return LogFiles.of(self._root, key).log

    @asynccontextmanager
    async def writer(self, key: TaskRunKey, *, is_new: bool = False) -> AsyncIterator[LogWriter]:
        """Write a log for the length of the block, going on where its last whole record ends.

        One that `is_new`, since nothing can have been written to it, is made by its first bytes; there may be none.

        At the end of the block all that was appended is on the disk, or `OSError` is raised. A block that is left by an
        error or a cancellation writes what waits if the disk takes it soon; what does not get there is asked for again
        by whoever goes on. Raises `FailedPrecondition` where the log has a writer already, and `OSError` where the disk
        has not come to the end of what an earlier one asked of it.
        """
        files = LogFiles.of(self._root, key)
        if key in self._writers:
            raise FailedPrecondition(f"the log of {key} is being written already")
        if key in self._lingering:
            raise OSError(errno.EBUSY, f"an earlier write of the log of {key} has not ended: its disk does not answer")
        self._writers[key] = None
        try:
            opened = NewLog(files) if is_new else await self._opened(key, files)
            writer = LogWriter(opened, name=str(key), on_written=lambda: self._wake(key), threads=self._threads)
            self._writers[key] = writer
            self._wake(key)
            try:
                yield writer
                await writer.finish()
            except BaseException:
                await writer.give_up(grace=self._flush_grace)
                raise
            finally:
                self._let_go(key, writer.closing)
        finally:
            del self._writers[key]
            self._wake(key)

    @contextmanager
    def following(self, key: TaskRunKey) -> Iterator[LogFollower]:
        """Follow a log for the length of the block. Register first, then look whether the task run has ended."""
        files = LogFiles.of(self._root, key)
        follower = LogFollower(files, name=str(key), live_size=lambda: self._live_size(key), threads=self._threads)
        self._followers.setdefault(key, set()).add(follower)
        try:
            yield follower
        finally:
            others = self._followers[key]
            others.discard(follower)
            if not others:
                del self._followers[key]

    def is_written(self, key: TaskRunKey) -> bool:
        """Tell whether the log has a writer now."""
        return key in self._writers or key in self._lingering

    def end(self, key: TaskRunKey) -> None:
        """Tell the followers of a log that its task run has ended; all of it is on the disk."""
        for follower in self._followers.get(key, ()):
            follower.end()

    async def delete(self, key: TaskRunKey) -> bool:
        """Remove a log and end its followers; tell whether there was one. Raises `FailedPrecondition` while written."""
        files = LogFiles.of(self._root, key)
        if self.is_written(key):
            raise FailedPrecondition(
                f"the log of {key} is being written; it can be deleted when its task run has ended"
            )
        existed = await self._aside(files.remove)
        if existed:
            for follower in self._followers.get(key, ()):
                follower.lose()
        return existed

    async def remove(self, keys: Iterable[TaskRunKey]) -> Removal:
        """Remove logs, all in one thread, and end their followers; those that are being written stay."""
        idle = {key: LogFiles.of(self._root, key) for key in keys if not self.is_written(key)}
        removed, faults = await self._aside(lambda: _remove_all(idle))
        for key, existed in removed.items():
            for follower in self._followers.get(key, ()) if existed else ():
                follower.lose()
        return Removal(gone=frozenset(removed), faults=faults)

    async def delete_some_of(self, pipeline: PipelineKey) -> bool:
        """Remove the logs of some runs of a pipeline and end their followers; tell whether there may be more.

        Raises `FailedPrecondition` while one of them is written.
        """
        folder = folder_of(self._root, pipeline)
        written = [key for key in (*self._writers, *self._lingering) if key.of_run.of_pipeline == pipeline]
        if written:
            raise FailedPrecondition(f"the log of {written[0]} is being written; it can be deleted when that has ended")
        more = await self._aside(lambda: remove_some_runs(folder))
        for key in [key for key in self._followers if key.of_run.of_pipeline == pipeline]:
            for follower in self._followers[key]:
                follower.lose()
        return more

    async def _opened(self, key: TaskRunKey, files: LogFiles) -> OpenLog:
        opening = self._aside(files.open_for_writing)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_drop)
            self._let_go(key, opening)
            raise

    def _aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _let_go(self, key: TaskRunKey, last: asyncio.Future[T]) -> None:
        """Keep the log from a next writer until the last job of this one is done: it would write into the other's."""
        if not last.done():
            self._lingering.add(key)
            last.add_done_callback(lambda _: self._lingering.discard(key))

    def _live_size(self, key: TaskRunKey) -> int | None:
        writer = self._writers.get(key)
        return None if writer is None else writer.size_bytes

    def _wake(self, key: TaskRunKey) -> None:
        for follower in self._followers.get(key, ()):
            follower.wake()


def _remove_all(wanted: Mapping[TaskRunKey, LogFiles]) -> tuple[dict[TaskRunKey, bool], tuple[str, ...]]:
    """Remove logs; tell of each that is gone whether it was there, and of the others why they are."""
    removed: dict[TaskRunKey, bool] = {}
    faults: list[str] = []
    for key, files in wanted.items():
        try:
            removed[key] = files.remove()
        except OSError as error:
            faults.append(f"{key}: {error.strerror}")
    return removed, tuple(faults)


def _drop(opening: asyncio.Future[OpenLog]) -> None:
    if opening.exception() is None:
        opening.result().close()
