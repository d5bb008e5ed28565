"""What Gofer itself costs for each task: graphs on the memory engine, whose containers end as soon as they start.

Usage: python -m tests.benchmarks.memory_chain [--quick]
The floor is the disk: the commits that must follow one another where no step may be forgotten, each made by SQLite
alone, durably, of a single row, in the same folder. A task of a chain needs one, which ends it and begins the next.
"""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from tests.benchmarks._figures import Effort, Figure, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer

CHAIN: Final = 40
FAN: Final = 20
CHAIN_COMMITS: Final = 2 + CHAIN  # started; admitted; the end of each task
FAN_COMMITS: Final = 2 + 3  # the same; the three generations
MILLISECONDS: Final = 1000


def chain(length: int) -> list[proto.UserPipelineTaskConfig]:
    """Give tasks of which each waits for the one before."""
    return [task(f"task_{n}", parents=[f"task_{n - 1}"] if n else []) for n in range(length)]


def fan(width: int) -> list[proto.UserPipelineTaskConfig]:
    """Give one task, then many at once, then one."""
    middle = [task(f"middle_{n}", parents=["first"]) for n in range(width)]
    return [task("first"), *middle, task("last", parents=[each.id for each in middle])]


class Commits:
    """Durable commits of one row each."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE rows (value)"):
            self._connection.execute(statement)

    async def seconds_of(self, count: int) -> float:
        """Make so many, one after the other."""
        return await asyncio.to_thread(self._seconds_of, count)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _seconds_of(self, count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            self._connection.execute("INSERT INTO rows VALUES (?)", (number,))
        return time.perf_counter() - began


async def measure(effort: Effort) -> list[Figure]:
    """Run the graphs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with gofer(folder, "memory") as server, server.client() as client, follower(client) as runs:
            await deploy(client, "chain", chain(CHAIN))
            await deploy(client, "fan", fan(FAN))
            await deploy(client, "single", [task("only")])
            commits = Commits(folder / "floor.db")
            try:
                before = server.cpu_seconds()
                chains = await _pairs(runs, commits, effort, ("chain", CHAIN_COMMITS))
                cpu = (server.cpu_seconds() - before) * MILLISECONDS / (CHAIN * (1 + len(chains[0])))
                fans = await _pairs(runs, commits, effort, ("fan", FAN_COMMITS))
                singles = await _pairs(runs, commits, effort, ("single", 3))
            finally:
                commits.close()
    return [
        _figure("one task on the memory engine", singles, 1, "3 commits"),
        _figure(f"chain of {CHAIN} on the memory engine, each task", chains, CHAIN, "1.05 commits"),
        Figure(what="the same: server CPU each task", unit="ms", ours=[cpu], floor_is="mean over all chains"),
        _figure(f"fan 1-{FAN}-1 on the memory engine, whole", fans, 1, f"{FAN_COMMITS} commits"),
    ]


async def _pairs(
    runs: Follower, commits: Commits, effort: Effort, what: tuple[str, int]
) -> tuple[list[float], list[float]]:
    pipeline, count = what
    ours: list[float] = []
    floor: list[float] = []
    await runs.seconds_of_run(pipeline)
    for _ in effort.rounds(30):
        ours.append(await runs.seconds_of_run(pipeline) * MILLISECONDS)
        floor.append(await commits.seconds_of(count) * MILLISECONDS)
    return ours, floor


def _figure(what: str, pairs: tuple[list[float], list[float]], share: int, floor_is: str) -> Figure:
    ours, floor = ([sample / share for sample in samples] for samples in pairs)
    return Figure(what=what, unit="ms", ours=ours, floor=floor, floor_is=floor_is)


if __name__ == "__main__":
    run(measure)
