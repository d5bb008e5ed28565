"""A small store on a real database: units that record what they did, and a gate that makes writes gather in a group."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from gofer.core.errors import GoferError
from gofer.sqlite import Database, open_database
from tests.fakes.clock import FakeClock

MIGRATIONS = "tests.unit.sqlite.steps"


class Unit:
    """A connection, the time, and what was recorded on it."""

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.recorded: list[str] = []

    def add(self, name: str, *, size: int = 0) -> str:
        self.connection.execute("INSERT INTO things (name, size) VALUES (?, ?)", (name, size))
        self.recorded.append(name)
        return name

    def names(self) -> list[str]:
        return [row["name"] for row in self.connection.execute("SELECT name FROM things ORDER BY id")]


class Store:
    """An open database, and what it published."""

    def __init__(self, database: Database[Unit], published: list[str]) -> None:
        self.database = database
        self.published = published

    async def add(self, name: str, *, size: int = 0) -> str:
        return await self.database.write(lambda unit: unit.add(name, size=size))

    async def names(self) -> list[str]:
        return await self.database.read(Unit.names)


@asynccontextmanager
async def open_store(
    folder: Path, *, make_unit: Callable[[sqlite3.Connection, datetime], Unit] = Unit
) -> AsyncIterator[Store]:
    published: list[str] = []

    def after_commit(units: Sequence[Unit]) -> None:
        published.extend(name for unit in units for name in unit.recorded)

    async with open_database(
        folder / "test.db",
        migrations=MIGRATIONS,
        make_unit=make_unit,
        after_commit=after_commit,
        clock=FakeClock(),
    ) as database:
        yield Store(database, published)


class Gate:
    """Holds the writer's thread, so that further writes gather in one group."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open = threading.Event()
        self._held = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def _hold(self, unit: Unit) -> None:
        self._loop.call_soon_threadsafe(self._held.set)
        self._open.wait()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._store.database.write(self._hold), name="gate")
            await self._held.wait()
            try:
                yield
            finally:
                self._open.set()


async def together(store: Store, *functions: Callable[[Unit], object]) -> list[object]:
    """Write all functions in one group and give what each returned or raised."""
    async with asyncio.TaskGroup() as group, Gate(store).closed():
        tasks = [
            group.create_task(outcome(store.database, function), name=f"write {number}")
            for number, function in enumerate(functions)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return [task.result() for task in tasks]


async def outcome(database: Database[Unit], function: Callable[[Unit], object]) -> object:
    try:
        return await database.write(function)
    except (GoferError, ValueError, MemoryError) as error:
        return error
