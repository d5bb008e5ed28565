"""How many runs of one task a second 16 clients get through the API, on the memory engine, for a minute.

Usage: python -m tests.benchmarks.memory_rate [--quick]
Each client starts a run, waits for its end, and starts the next. The server and the process of all clients each have
about one core. The floor is a server that answers the same calls and tells of the same ends, and does nothing else.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks._commits import MILLISECONDS
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._run_load import DoneRun, runs_of
from tests.benchmarks._runs import deploy, task
from tests.benchmarks._server import Process, gofer, moments, started

PIPELINE: Final = "single"
CLIENTS: Final = 16
SECONDS: Final = 60.0
LEAST_SECONDS: Final = 12.0
PART: Final = 1 / 6
FLOOR_IS: Final = "the calls and the events alone"


async def measure(effort: Effort) -> list[Figure]:
    """Load the server."""
    seconds = max(LEAST_SECONDS, SECONDS * effort.share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        moments_file = folder / "moments"
        async with gofer(folder, "memory", GOFER_BENCH_MOMENTS=str(moments_file)) as server:
            async with server.client() as client:
                await deploy(client, PIPELINE, [task("only")])
            done, cost = await _load(server, seconds)
        async with started("tests.benchmarks._floor_server", str(folder)) as server:
            floor_done, floor_cost = await _load(server, seconds * PART)
        created = moments(moments_file, "create")
    waits = [(created[f"{PIPELINE}/{each.number}/only"] - each.answered_at) * MILLISECONDS for each in done]
    return [*_rates(done, seconds, floor=len(floor_done) / (seconds * PART)), *_costs(cost, floor_cost, waits)]


async def _load(server: Process, seconds: float) -> tuple[list[DoneRun], float]:
    """Have runs done; the server's processor time for each in milliseconds."""
    before = server.cpu_seconds()
    done = await runs_of(server, PIPELINE, clients=CLIENTS, seconds=seconds)
    return done, (server.cpu_seconds() - before) / len(done) * MILLISECONDS


def _rates(done: Sequence[DoneRun], seconds: float, *, floor: float) -> list[Figure]:
    began = min(each.asked_at for each in done)
    part = seconds * PART
    first = sum(each.ended_at - began <= part for each in done)
    last = sum(seconds - part < each.ended_at - began <= seconds for each in done)
    rate = len(done) / seconds
    return [
        Figure(
            what=f"runs of one task, {CLIENTS} clients, {seconds:.0f} s",
            unit="/s",
            ours=[rate],
            floor=[floor],
            floor_is=FLOOR_IS,
            goal=Goal.at_least(300, "/s", rate),
        ),
        Figure(
            what="the same: the last sixth of the time against the first",
            unit="",
            ours=[last / first],
            goal=Goal.at_least(0.9, "", last / first),
        ),
    ]


def _costs(cost: float, floor: float, waits: Sequence[float]) -> list[Figure]:
    slowest = percentile(waits, 0.99)
    return [
        Figure(
            what="the same: server CPU a run",
            unit="ms",
            ours=[cost],
            floor=[floor],
            floor_is=FLOOR_IS,
        ),
        Figure(
            what="the same: StartRun's reply to the engine's create, p99",
            unit="ms",
            ours=[slowest],
            goal=Goal.at_most(150, "ms", slowest),
        ),
    ]


if __name__ == "__main__":
    run(measure)
