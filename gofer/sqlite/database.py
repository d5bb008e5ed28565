"""A SQLite file with one writer and a few readers.

Work is given as plain functions of a unit, which is what the caller's `make_unit` makes of a connection and a time, so
that a repository written once serves writes and reads. Why one writer: docs/pages/adr.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

from gofer.clock import Clock
from gofer.lifecycle import running
from gofer.sqlite.connection import on_thread, writer_connection
from gofer.sqlite.group import GroupStep
from gofer.sqlite.migrate import application_id, load_migrations, migrate
from gofer.sqlite.readers import Readers, open_readers
from gofer.sqlite.writer import Writer

T = TypeVar("T")
U = TypeVar("U")

READERS: Final = 3
CLOSE_GRACE: Final = timedelta(seconds=10)


class Database(Generic[U]):
    """An open database; made by `open_database`. `U` is the caller's unit of work."""

    def __init__(self, writer: Writer[U], readers: Readers[U]) -> None:
        self._writer = writer
        self._readers = readers

    @property
    def changes(self) -> int:
        """Count how often something may have been stored.

        What was read while it stood at one number is what is stored for as long as it stands there: it rises before any
        `write` returns.
        """
        return self._writer.changes

    async def write(self, function: Callable[[U], T]) -> T:
        """Run `function` on a new unit, on the writer's thread, and give its result once it is on the disk.

        What it raises rolls its own changes back and is raised here; other writes are untouched. A unique key that is
        taken is `AlreadyExists`, another broken constraint `FailedPrecondition`, a full disk `Unavailable`, a closing
        database `ShuttingDown`. After any of these nothing was stored; after `OutcomeUnknown` it may be. Writes are
        stored in the order of their calls. Cancelling the wait does not undo the write. The function must not end the
        transaction, keep a cursor, or go on after a `sqlite3.Error`.
        """
        return await self._writer.write(function)

    async def read(self, function: Callable[[U], T]) -> T:
        """Run `function` on a unit that can't write, in a transaction of its own, and give its result.

        It sees everything whose `write` has returned. It may run at the same time as other reads and as the writer.
        It returns plain values, no cursor. Cancelling the wait interrupts it.
        """
        return await self._readers.read(function)


@asynccontextmanager
async def open_database(
    path: Path,
    *,
    migrations: str,
    make_unit: Callable[[sqlite3.Connection, datetime], U],
    clock: Clock,
    after_commit: Callable[[Sequence[U]], None] = lambda _: None,
    observe: Callable[[GroupStep], None] = lambda _: None,
) -> AsyncIterator[Database[U]]:
    """Open the file for the length of the block, made and brought up to date if need be; leaving drains the writer.

    `migrations` names the package that holds the numbered SQL files. `make_unit` gets a connection and the time, to the
    millisecond, and is called in other threads. `after_commit` gets the units of each commit in their order, on the
    loop, before their writers hear of it; it must neither block nor fail. `observe`, for tests, is told of each step of
    a group, on the writer's thread. `FailedPrecondition` if the file is unsafe, unusable or newer than this program.
    The folder and the file are made private to this user.
    """

    def now() -> datetime:
        moment = clock.now()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    async with writer_connection(path) as connection:
        steps, owner = load_migrations(migrations), application_id(migrations)
        await on_thread(connection, partial(migrate, migrations=steps, owner=owner))
        async with open_readers(path, count=READERS, make_unit=make_unit, now=now) as readers:
            writer = Writer(connection, make_unit=make_unit, after_commit=after_commit, now=now, observe=observe)
            async with running(writer, grace=CLOSE_GRACE):
                yield Database(writer, readers)
