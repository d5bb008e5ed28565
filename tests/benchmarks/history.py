"""How long the server takes to be ready on a database with a history: 100,000 runs and 1,000,000 events.

Usage: python -m tests.benchmarks.history [--quick]
The history is made by copying the rows of one run that a server has made. The floor is the same start on an empty
database.
"""

import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Final

from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import gofer
from tests.benchmarks.process import milliseconds_to_ready

ROUNDS: Final = 5
RUNS: Final = 100_000
EVENTS: Final = 1_000_000
NUMBERS: Final = "WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM numbers LIMIT ?) "


def copy_rows(path: Path, *, runs: int, events: int) -> None:
    """Give a database with one run so many runs, task runs and events more."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    with connection:
        for table, number, skipped in (("runs", "id", "place"), ("task_runs", "run", "")):
            names = [row["name"] for row in connection.execute(f"PRAGMA table_info({table})")]
            into = ", ".join(name for name in names if name != skipped)
            of = ", ".join("number" if name == number else name for name in names if name != skipped)
            _copy(connection, table, into=into, of=f"{of} FROM {table}, numbers", count=runs)
        columns = "at, kind, namespace, pipeline, run, details"
        last = f"{columns} FROM journal, numbers WHERE id = (SELECT max(id) FROM journal)"  # noqa: S608 - our own words
        _copy(connection, "journal", into=columns, of=last, count=events)
        connection.execute("UPDATE run_counters SET last_run = last_run + ?", (runs,))
    connection.close()


def _copy(connection: sqlite3.Connection, table: str, *, into: str, of: str, count: int) -> None:
    connection.execute(f"INSERT INTO {table} ({into}) {NUMBERS} SELECT {of}", (count,))


async def measure(effort: Effort) -> list[Figure]:
    """Start on both in turns."""
    share = 1.0 if effort.share >= 1 else 0.1
    with tempfile.TemporaryDirectory() as name:
        empty, full = Path(name) / "empty", Path(name) / "full"
        empty.mkdir()
        full.mkdir()
        async with gofer(full, "process") as server, server.client() as client, follower(client) as one:
            await deploy(client, "single", [task("only", command=["true"])])
            await one.seconds_of_run("single")
        runs, events = round(RUNS * share), round(EVENTS * share)
        copy_rows(full / "data" / "gofer.db", runs=runs, events=events)
        ours: list[float] = []
        floor: list[float] = []
        for _ in effort.rounds(ROUNDS):
            ours.append(await milliseconds_to_ready(full))
            floor.append(await milliseconds_to_ready(empty))
    return [
        Figure(
            what=f"start to ready after {runs:,} runs and {events:,} events",
            unit="ms",
            ours=ours,
            floor=floor,
            floor_is="after none",
            goal=Goal.at_most(3000, "ms", statistics.median(ours)),
        )
    ]


if __name__ == "__main__":
    run(measure)
