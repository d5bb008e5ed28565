"""Graphs on the process engine: one task, a chain of 10, and one task, then 20 at once, then one; each runs `true`.

Usage: python -m tests.benchmarks.process_graphs [--quick]
The floor makes as many processes as the longest path has, one after the other, and nothing else. The client is this
process, the server another.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from tests.benchmarks._commits import MILLISECONDS, Commits
from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer

CHAIN: Final = 10
FAN: Final = 20
TRUE: Final = shutil.which("true") or "/bin/true"
COMMAND: Final = ("true",)
ROUNDS: Final = {"single": 60, "chain": 20, "fan": 20}
ONE_AFTER_THE_OTHER: Final = {"single": 1, "chain": CHAIN, "fan": 3}
OTHERS: Final = {"single": "118 ms", "chain": "0.26 s", "fan": "0.43 s"}
"""What Dagu 2.6.5 took on the same kind of machine at another time."""


def graphs() -> dict[str, list[proto.UserPipelineTaskConfig]]:
    """Give the three pipelines."""
    middle = [task(f"middle_{n}", parents=["first"], command=COMMAND) for n in range(FAN)]
    last = task("last", parents=[each.id for each in middle], command=COMMAND)
    links = [task(f"task_{n}", parents=[f"task_{n - 1}"] if n else [], command=COMMAND) for n in range(CHAIN)]
    return {
        "single": [task("only", command=COMMAND)],
        "chain": links,
        "fan": [task("first", command=COMMAND), *middle, last],
    }


def milliseconds_of_processes(count: int) -> float:
    """Run `true`, again and again."""
    began = time.perf_counter()
    for _ in range(count):
        os.waitpid(os.posix_spawn(TRUE, COMMAND, os.environ), 0)
    return (time.perf_counter() - began) * MILLISECONDS


async def measure(effort: Effort) -> list[Figure]:
    """Run them in turns with the floor."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with gofer(folder, "process") as server, server.client() as client, follower(client) as runs:
            for pipeline, tasks in graphs().items():
                await deploy(client, pipeline, tasks)
                found[pipeline] = await _pairs(runs, pipeline, effort)
        with Commits(folder) as commits:
            commit = statistics.median([await commits.milliseconds_of(1) for _ in effort.rounds(100)])
    return [
        *(_figure(pipeline, pairs, commit) for pipeline, pairs in found.items()),
        Figure(what="a durable commit of SQLite alone", unit="ms", ours=[commit], floor_is="part of the goals above"),
    ]


async def _pairs(runs: Follower, pipeline: str, effort: Effort) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    floor: list[float] = []
    await runs.seconds_of_run(pipeline)
    for _ in effort.rounds(ROUNDS[pipeline]):
        ours.append(await runs.seconds_of_run(pipeline) * MILLISECONDS)
        floor.append(await asyncio.to_thread(milliseconds_of_processes, ONE_AFTER_THE_OTHER[pipeline]))
    return ours, floor


def _figure(pipeline: str, pairs: tuple[Sequence[float], Sequence[float]], commit: float) -> Figure:
    what, limit, because = {
        "single": ("one task, `true`", 15 + 4 * commit, "15 ms + 4 commits"),
        "chain": (f"chain of {CHAIN}", CHAIN * (10 + 3 * commit), f"{CHAIN} x (10 ms + 3 commits)"),
        "fan": (f"fan 1-{FAN}-1", 300.0, ""),
    }[pipeline]
    ours, floor = pairs
    count = ONE_AFTER_THE_OTHER[pipeline]
    return Figure(
        what=f"{what} on the process engine (Dagu: {OTHERS[pipeline]})",
        unit="ms",
        ours=ours,
        floor=floor,
        floor_is="`true`, bare" if count == 1 else f"{count} x `true`, bare",
        goal=Goal.at_most(limit, "ms", statistics.median(ours), because=because),
    )


if __name__ == "__main__":
    run(measure)
