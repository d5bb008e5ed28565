"""Many containers at once on Docker: 4 layers of 10 tasks, and 60 runs of one task.

Usage: python -m tests.benchmarks.docker_gate [--quick]
The floor makes as many plain containers by hand, in the same shape, so many at a time as suits this machine best: that
is found out first. It removes them beside the next ones, as Gofer does. The two take turns, and whoever ended waits
until all of its containers are gone.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import aiodocker

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.benchmarks._by_hand import ByHand
from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer
from tests.benchmarks.docker_run import by_hand_body

ROUNDS: Final = 2
GATES: Final = (2, 3, 4, 6)
LAYERS: Final = (10, 10, 10, 10)
RUNS: Final = 60
TRIED: Final = 12
COMMAND: Final = ("true",)

Pairs: TypeAlias = tuple[list[float], list[float]]


async def seconds_by_hand(by_hand: ByHand, layers: Sequence[int], gate: int) -> float:
    """Run so many containers, layer after layer, a few at a time."""
    places = asyncio.Semaphore(gate)

    async def gated() -> None:
        async with places:
            await by_hand.run()

    began = time.perf_counter()
    for layer in layers:
        async with asyncio.TaskGroup() as group:
            for number in range(layer):
                group.create_task(gated(), name=f"container {number}")
    took = time.perf_counter() - began
    await by_hand.all_removed()
    return took


async def best_gate(by_hand: ByHand, effort: Effort) -> int:
    """Find out how many at a time are the soonest done."""
    found: dict[int, list[float]] = {gate: [] for gate in GATES}
    for _ in effort.rounds(1, least=1):
        for gate, seconds in found.items():
            seconds.append(await seconds_by_hand(by_hand, (TRIED,), gate))
    return min(found, key=lambda gate: statistics.median(found[gate]))


def layered(layers: Sequence[int]) -> list[proto.UserPipelineTaskConfig]:
    """Give layers of tasks, each of which waits for all of the layer before."""
    tasks: list[proto.UserPipelineTaskConfig] = []
    above: list[str] = []
    for depth, count in enumerate(layers):
        names = [f"task_{depth}_{number}" for number in range(count)]
        tasks += [task(name, parents=above, command=COMMAND) for name in names]
        above = names
    return tasks


async def seconds_of_runs(client: GoferClient, runs: Follower, pipeline: str, count: int) -> float:
    """Start so many runs at once; the time to the last end."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(client.runs.start(pipeline), name=f"start {number}")
    return max([await runs.next_end() for _ in range(count)]) - began


async def measure(effort: Effort) -> list[Figure]:
    """Run both in turns."""
    with tempfile.TemporaryDirectory() as name:
        async with gofer(Path(name), "docker") as server, server.client() as client, follower(client) as runs:
            await _deploy_both(client)
            async with aiodocker.Docker() as docker, ByHand(docker, by_hand_body()) as by_hand:
                gate = await best_gate(by_hand, effort)
                layers = await _pairs(
                    by_hand,
                    effort,
                    "bench_layers",
                    ours=lambda: runs.seconds_of_run("bench_layers"),
                    floor=lambda: seconds_by_hand(by_hand, LAYERS, gate),
                )
                many = await _pairs(
                    by_hand,
                    effort,
                    "bench_many",
                    ours=lambda: seconds_of_runs(client, runs, "bench_many", RUNS),
                    floor=lambda: seconds_by_hand(by_hand, (RUNS,), gate),
                )
    floor_is = f"by hand, {gate} at a time"
    rates = Figure(
        what=f"{RUNS} runs of one task at once on Docker",
        unit="/s",
        ours=[RUNS / seconds for seconds in many[0]],
        floor=[RUNS / seconds for seconds in many[1]],
        floor_is=floor_is,
        predecessor="4.5/s",
    )
    shape = Figure(
        what=f"{len(LAYERS)} layers of {LAYERS[0]} tasks on Docker",
        unit="s",
        ours=layers[0],
        floor=layers[1],
        floor_is=floor_is,
    )
    return [
        replace(shape, goal=Goal.at_most(1.1, "of the floor", shape.ratio or 0.0)),
        replace(rates, goal=Goal.at_least(0.95, "of the floor", rates.ratio or 0.0)),
    ]


async def _deploy_both(client: GoferClient) -> None:
    await deploy(client, "bench_layers", layered(LAYERS))
    await deploy(client, "bench_many", [task("only", command=COMMAND)])


async def _pairs(
    by_hand: ByHand,
    effort: Effort,
    pipeline: str,
    *,
    ours: Callable[[], Awaitable[float]],
    floor: Callable[[], Awaitable[float]],
) -> Pairs:
    found: Pairs = ([], [])
    for _ in effort.rounds(ROUNDS, least=1):
        found[0].append(await ours())
        await by_hand.none_of_gofer(pipeline)
        found[1].append(await floor())
    return found


if __name__ == "__main__":
    run(measure)
