"""What Gofer itself costs for each task: graphs on the memory engine, whose containers end as soon as they start.

Usage: python -m tests.benchmarks.memory_chain [--quick]
The floor is the disk: the commits that must follow one another where no step may be forgotten, each made by SQLite
alone, durably, of a single row, in the same folder. A task of a chain needs one, which ends it and begins the next.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from tests.benchmarks._commits import MILLISECONDS, Commits
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._run_load import runs_of
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import Process, gofer, moments

CHAIN: Final = 40
FAN: Final = 20
CHAIN_COMMITS: Final = 2 + CHAIN  # started; admitted; the end of each task
FAN_COMMITS: Final = 2 + 3  # the same; the three generations
ALONE_SECONDS: Final = 10.0
COMMIT: Final = "1 commit"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Milliseconds of ours and of the floor."""

    ours: Sequence[float]
    floor: Sequence[float]

    def figure(self, what: str, share: int, floor_is: str, *, goal: Goal | None = None) -> Figure:
        """Give the row of a share of each."""
        ours, floor = ([sample / share for sample in samples] for samples in (self.ours, self.floor))
        return Figure(what=what, unit="ms", ours=ours, floor=floor, floor_is=floor_is, goal=goal)


def chain(length: int) -> list[proto.UserPipelineTaskConfig]:
    """Give tasks of which each waits for the one before."""
    return [task(f"task_{n}", parents=[f"task_{n - 1}"] if n else []) for n in range(length)]


def fan(width: int) -> list[proto.UserPipelineTaskConfig]:
    """Give one task, then many at once, then one."""
    middle = [task(f"middle_{n}", parents=["first"]) for n in range(width)]
    return [task("first"), *middle, task("last", parents=[each.id for each in middle])]


async def measure(effort: Effort) -> list[Figure]:
    """Run the graphs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Commits(folder) as commits:
            async with gofer(folder, "memory", GOFER_BENCH_MOMENTS=str(folder / "moments")) as server:
                figures = await _graphs(server, commits, effort)
                alone = await runs_of(server, "single", clients=1, seconds=ALONE_SECONDS * effort.share)
            commit = statistics.median([await commits.milliseconds_of(1) for _ in effort.rounds(100)])
        created, exited = moments(folder / "moments", "create"), moments(folder / "moments", "exited")
    answered = {f"single/{each.number}/only": each.answered_at for each in alone}
    waits = [(created[key] - at) * MILLISECONDS for key, at in answered.items()]
    return [
        *figures,
        *_waits("a parent's end to its child's create", _from_parents(created, exited), commit),
        *_waits("StartRun's reply to the engine's create, one client", waits, commit),
    ]


async def _graphs(server: Process, commits: Commits, effort: Effort) -> list[Figure]:
    async with server.client() as client, follower(client) as runs:
        await deploy(client, "chain", chain(CHAIN))
        await deploy(client, "fan", fan(FAN))
        await deploy(client, "single", [task("only")])
        before = server.cpu_seconds()
        chains = await _pairs(runs, commits, effort, ("chain", CHAIN_COMMITS))
        cpu = (server.cpu_seconds() - before) * MILLISECONDS / (CHAIN * (1 + len(chains.ours)))
        fans = await _pairs(runs, commits, effort, ("fan", FAN_COMMITS))
        singles = await _pairs(runs, commits, effort, ("single", 3))
    commit = statistics.median(chains.floor) / CHAIN_COMMITS
    limit = 2 * commit + 3
    goal = Goal.at_most(limit, "ms", statistics.median(chains.ours) / CHAIN, because="3 ms + 2 commits")
    return [
        singles.figure("one task on the memory engine", 1, "3 commits"),
        chains.figure(f"chain of {CHAIN} on the memory engine, each task", CHAIN, "1.05 commits", goal=goal),
        Figure(what="the same: server CPU each task", unit="ms", ours=[cpu], floor_is="mean over all chains"),
        fans.figure(f"fan 1-{FAN}-1 on the memory engine, whole", 1, f"{FAN_COMMITS} commits"),
    ]


async def _pairs(runs: Follower, commits: Commits, effort: Effort, what: tuple[str, int]) -> Pairs:
    pipeline, count = what
    ours: list[float] = []
    floor: list[float] = []
    await runs.seconds_of_run(pipeline)
    for _ in effort.rounds(30):
        ours.append(await runs.seconds_of_run(pipeline) * MILLISECONDS)
        floor.append(await commits.milliseconds_of(count))
    return Pairs(ours, floor)


def _from_parents(created: dict[str, float], exited: dict[str, float]) -> list[float]:
    """Give the milliseconds from each end in a chain to the creation of what waited for it."""
    found: list[float] = []
    for key, at in exited.items():
        pipeline, number, name = key.split("/")
        child = f"chain/{number}/task_{int(name.removeprefix('task_')) + 1}" if pipeline == "chain" else ""
        if child in created:
            found.append((created[child] - at) * MILLISECONDS)
    return found


def _waits(what: str, waits: Sequence[float], commit: float) -> list[Figure]:
    middle, slowest = statistics.median(waits), percentile(waits, 0.99)
    return [
        Figure(
            what=f"{what}: p50",
            unit="ms",
            ours=waits,
            floor=[commit],
            floor_is=COMMIT,
            goal=Goal.at_most(5 + commit, "ms", middle, because="5 ms + 1 commit"),
        ),
        Figure(what=f"{what}: p99", unit="ms", ours=[slowest], goal=Goal.at_most(150, "ms", slowest)),
    ]


if __name__ == "__main__":
    run(measure)
