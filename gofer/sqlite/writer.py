"""The one writer: takes what is queued, commits it as a group, answers and publishes after the commit.

Writes never run in the task of their caller: SQLite can't be stopped in the middle of a statement, so a cancelled
caller would leave half a transaction behind. A caller that goes away cancels only its wait.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Generic, TypeVar

import aiosqlite

from gofer.core.errors import OutcomeUnknown, ShuttingDown
from gofer.sqlite.connection import on_thread
from gofer.sqlite.group import Failed, GroupStep, Stored, commit_group

T = TypeVar("T")
U = TypeVar("U")

MAX_GROUP: Final = 256
MAX_WAITING: Final = 4096  # further callers wait for a place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job(Generic[U]):
    function: Callable[[U], None]
    done: asyncio.Future[None]


class Writer(Generic[U]):
    """A worker that owns the writing connection. `Database` is its public face."""

    name: Final = "database writer"

    def __init__(
        self,
        connection: aiosqlite.Connection,
        *,
        make_unit: Callable[[sqlite3.Connection, datetime], U],
        after_commit: Callable[[Sequence[U]], None],
        now: Callable[[], datetime],
        observe: Callable[[GroupStep], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._make_unit = make_unit
        self._after_commit = after_commit
        self._now = now
        self._observe = observe
        self._jobs: deque[_Job[U]] = deque()
        self._places = asyncio.Semaphore(MAX_WAITING)
        self._wake = asyncio.Event()
        self._stopping = False
        self._changes = 0

    @property
    def changes(self) -> int:
        """Count the groups that were committed, or may have been."""
        return self._changes

    async def write(self, function: Callable[[U], T]) -> T:
        """Queue `function` and wait for its commit; see `Database.write`."""
        await self._places.acquire()
        if self._stopping:
            self._places.release()
            raise ShuttingDown("the database is closing; nothing was stored")
        results: list[T] = []
        done = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(function=lambda unit: results.append(function(unit)), done=done))
        self._wake.set()
        await done
        return results.pop()

    async def run(self, ready: Callable[[], None]) -> None:
        """Commit group after group; after `stop`, what is queued is still stored."""
        ready()
        try:
            while await self._have_jobs():
                await self._run_group()
        finally:
            self._stopping = True
            while self._jobs:
                self._settle(self._jobs.popleft(), ShuttingDown("the database is closing; nothing was stored"))

    def stop(self) -> None:
        """Take no more writes."""
        self._stopping = True
        self._wake.set()

    async def _have_jobs(self) -> bool:
        while not self._jobs:
            if self._stopping:
                return False
            self._wake.clear()
            await self._wake.wait()
        return True

    async def _run_group(self) -> None:
        # Never waits for more: under load the next group gathers while this one is on the disk.
        group = [self._jobs.popleft() for _ in range(min(len(self._jobs), MAX_GROUP))]
        functions = [job.function for job in group]
        try:
            try:
                outcomes = await on_thread(self._connection, partial(self._commit, functions))
            finally:
                self._changes += 1  # before anybody hears of it
            self._after_commit([outcome.unit for outcome in outcomes if isinstance(outcome, Stored)])
            for job, outcome in zip(group, outcomes, strict=True):
                self._settle(job, outcome.error if isinstance(outcome, Failed) else None)
        finally:
            # Only if the writer itself fails or is cancelled: the commit may or may not have happened.
            for job in group:
                if not job.done.done():
                    self._settle(job, OutcomeUnknown("the server stopped before it knew whether the change was stored"))

    def _commit(
        self, functions: Sequence[Callable[[U], None]], connection: sqlite3.Connection
    ) -> list[Stored[U] | Failed]:
        return commit_group(
            connection,
            functions,
            make_unit=lambda: self._make_unit(connection, self._now()),
            observe=self._observe,
        )

    def _settle(self, job: _Job[U], error: Exception | None) -> None:
        self._places.release()
        if job.done.done():  # its caller went away
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)
