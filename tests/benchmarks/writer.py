"""How many units of work a second are stored durably, alone and by many at once, beside SQLite doing the same alone.

Usage: python -m tests.benchmarks.writer [--quick]
A unit has six statements, about what the end of a task costs. The floor makes the same statements on one connection
without any other thread: a commit for each unit, and for many at once a commit for each 256 of them.
"""

import asyncio
import sqlite3
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from gofer.clock import SystemClock
from gofer.sqlite import Connection, Database, open_database
from gofer.storage.unit import Unit
from tests.benchmarks._figures import Effort, Figure, run

ROUNDS: Final = 9
CALLERS: Final = 64
UNITS_ALONE: Final = 300
UNITS_TOGETHER: Final = 6400
GROUP: Final = 256
STATEMENTS: Final = 6
TABLE: Final = "CREATE TABLE IF NOT EXISTS bench (id INTEGER PRIMARY KEY, value TEXT)"
INSERT: Final = "INSERT INTO bench (value) VALUES (?)"


class BenchUnit(Unit):
    """A unit that can do what is measured."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        super().__init__(connection, now)
        self._raw = connection

    def prepare(self) -> None:
        """Have the table."""
        self._raw.execute(TABLE)

    def work(self) -> None:
        """Run the statements of one unit."""
        statements(self._raw)


def statements(connection: sqlite3.Connection) -> None:
    """Run the statements of one unit."""
    for number in range(STATEMENTS):
        connection.execute(INSERT, (f"value {number}",))


async def ours(database: Database[BenchUnit], units: int, callers: int) -> float:
    """Give the units a second of so many callers, each of which waits for one before it makes the next."""

    async def caller() -> None:
        for _ in range(units // callers):
            await database.write(BenchUnit.work)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(), name=f"caller {number}")
    return units / (time.perf_counter() - began)


def floor(connection: sqlite3.Connection, units: int, group: int) -> float:
    """Give the units a second of SQLite alone, with a commit for each group of them."""
    began = time.perf_counter()
    for _ in range(units // group):
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(group):
            statements(connection)
        connection.execute("COMMIT")
    return units / (time.perf_counter() - began)


def opened(path: Path) -> sqlite3.Connection:
    """Open a file as the server does."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
        connection.execute(statement)
    return connection


async def measure(effort: Effort) -> list[Figure]:
    """Write alone and together, in turns with the floor."""
    alone: tuple[list[float], list[float]] = ([], [])
    together: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        connection = opened(folder / "floor.db")
        database = open_database(
            folder / "gofer.db", migrations="gofer.storage.migrations", make_unit=BenchUnit, clock=SystemClock()
        )
        async with database as gofer:
            await gofer.write(BenchUnit.prepare)
            for _ in effort.rounds(ROUNDS):
                alone[0].append(await ours(gofer, UNITS_ALONE, 1))
                alone[1].append(await asyncio.to_thread(floor, connection, UNITS_ALONE, 1))
                together[0].append(await ours(gofer, UNITS_TOGETHER, CALLERS))
                together[1].append(await asyncio.to_thread(floor, connection, UNITS_TOGETHER, GROUP))
        connection.close()
    return [
        Figure(
            what="durable writes of one caller",
            unit="/s",
            ours=alone[0],
            floor=alone[1],
            floor_is="SQLite alone, a commit each",
        ),
        Figure(
            what=f"durable writes of {CALLERS} callers",
            unit="/s",
            ours=together[0],
            floor=together[1],
            floor_is=f"SQLite alone, a commit for {GROUP}",
        ),
    ]


if __name__ == "__main__":
    run(measure)
