"""Where the logs are, who writes them, and who follows them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from gofer.core.ids import TaskRunKey
from gofer.lifecycle import running
from gofer.logs.files import open_for_writing
from gofer.logs.follower import LogFollower
from gofer.logs.writer import LogWriter

FLUSH_GRACE: Final = timedelta(seconds=5)


class LogStore:
    """The logs of all task runs, in files below one folder: `<namespace>/<pipeline>/<run>/<task>`.

    Ids hold letters, digits and underscores alone, so no key leads out of the folder and no two share a file.
    """

    def __init__(self, root: Path) -> None:
        """Keep the logs below `root`, which is made when the first log is written."""
        self._root = root
        self._sizes: dict[TaskRunKey, int] = {}  # of the logs that are being written
        self._followers: dict[TaskRunKey, set[LogFollower]] = {}

    def path(self, key: TaskRunKey) -> Path:
        """Name the file of a log."""
        return self._root / key.namespace / key.pipeline / str(key.run) / key.task

    @asynccontextmanager
    async def writer(self, key: TaskRunKey) -> AsyncIterator[LogWriter]:
        """Write a log for the length of the block, going on where its last whole record ends.

        At the end of the block all that was appended is on the disk, or `OSError` is raised. A block that is left by an
        error or a cancellation writes what waits if the disk takes it soon; what does not get there is asked for again
        by whoever goes on.
        """
        files = await asyncio.to_thread(open_for_writing, self.path(key))
        try:
            self._grown(key, files.place.size_bytes)
            writer = LogWriter(files, written=lambda size: self._grown(key, size))
            async with running(_Writing(writer, name=f"log {key}"), grace=FLUSH_GRACE):
                yield writer
            await asyncio.to_thread(files.sync)
        finally:
            self._sizes.pop(key, None)
            files.close()

    @contextmanager
    def following(self, key: TaskRunKey) -> Iterator[LogFollower]:
        """Follow a log for the length of the block. Register first, then look whether the task run has ended."""
        follower = LogFollower(self.path(key), live_size=lambda: self._sizes.get(key))
        self._followers.setdefault(key, set()).add(follower)
        try:
            yield follower
        finally:
            others = self._followers[key]
            others.discard(follower)
            if not others:
                del self._followers[key]

    def end(self, key: TaskRunKey) -> None:
        """Tell the followers of a log that its task run has ended; all of it is on the disk."""
        for follower in self._followers.get(key, ()):
            follower.end()

    def _grown(self, key: TaskRunKey, size_bytes: int) -> None:
        self._sizes[key] = size_bytes
        for follower in self._followers.get(key, ()):
            follower.wake()


class _Writing:
    """The writer's loop as a part that starts, stops and fails in order."""

    def __init__(self, writer: LogWriter, *, name: str) -> None:
        self._writer = writer
        self._name = name

    @property
    def name(self) -> str:
        """Name the task."""
        return self._name

    async def run(self, ready: Callable[[], None]) -> None:
        """Write until stopped and all is written."""
        ready()
        await self._writer.run()

    def stop(self) -> None:
        """End when all is written."""
        self._writer.end()
