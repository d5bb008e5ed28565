"""Graphs on Docker: a chain of 10 tasks, and one task, then 20 at once, then one.

Usage: python -m tests.benchmarks.docker_graphs [--quick]
The floor makes the same containers by hand, as plain as Docker makes them, in the same order: one after the other, and
for the 20 as many at a time as Gofer starts (two for each core). It removes them, too, beside the next ones, as Gofer
does. The two take turns, and whoever ended waits until all of its containers are gone.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import aiodocker

from gofer_sdk.client import GoferClient
from tests.benchmarks._by_hand import IMAGE, ByHand
from tests.benchmarks._figures import Effort, Figure, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer

ROUNDS: Final = 3
CHAIN: Final = 10
FAN: Final = 20
AT_A_TIME: Final = 2 * (os.cpu_count() or 1)


async def chain_by_hand(by_hand: ByHand) -> float:
    """Run one container after the other; the seconds to the end of the last."""
    began = time.perf_counter()
    for _ in range(CHAIN):
        await by_hand.run()
    return time.perf_counter() - began


async def fan_by_hand(by_hand: ByHand) -> float:
    """Run one, then many, then one."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def gated() -> None:
        async with gate:
            await by_hand.run()

    began = time.perf_counter()
    await by_hand.run()
    async with asyncio.TaskGroup() as group:
        for number in range(FAN):
            group.create_task(gated(), name=f"container {number}")
    await by_hand.run()
    return time.perf_counter() - began


async def measure(effort: Effort) -> list[Figure]:
    """Run both graphs in turns."""
    samples: dict[str, list[float]] = {"chain": [], "fan": [], "chain by hand": [], "fan by hand": []}
    with tempfile.TemporaryDirectory() as name:
        async with gofer(Path(name), "docker") as server, server.client() as client, follower(client) as runs:
            await _deploy_graphs(client)
            await _rounds(effort, runs, samples)
    return [
        Figure(
            what=f"chain of {CHAIN} on Docker",
            unit="s",
            ours=samples["chain"],
            floor=samples["chain by hand"],
            floor_is="plain containers by hand",
            predecessor="6.5 s",
        ),
        Figure(
            what=f"fan 1-{FAN}-1 on Docker",
            unit="s",
            ours=samples["fan"],
            floor=samples["fan by hand"],
            floor_is=f"plain containers by hand, {AT_A_TIME} at a time",
            predecessor="5.5 s",
        ),
    ]


async def _deploy_graphs(client: GoferClient) -> None:
    middle = [task(f"middle_{n}", parents=["first"], command=["true"]) for n in range(FAN)]
    last = task("last", parents=[each.id for each in middle], command=["true"])
    await deploy(client, "bench_fan", [task("first", command=["true"]), *middle, last])
    links = [task(f"task_{n}", parents=[f"task_{n - 1}"] if n else [], command=["true"]) for n in range(CHAIN)]
    await deploy(client, "bench_chain", links)


async def _rounds(effort: Effort, runs: Follower, samples: dict[str, list[float]]) -> None:
    async with aiodocker.Docker() as docker, ByHand(docker, {"Image": IMAGE, "Cmd": ["true"]}) as by_hand:
        for _ in effort.rounds(ROUNDS):
            await _round(runs, by_hand, samples)


async def _round(runs: Follower, by_hand: ByHand, samples: dict[str, list[float]]) -> None:
    for pipeline, alone in (("chain", chain_by_hand), ("fan", fan_by_hand)):
        samples[pipeline].append(await runs.seconds_of_run(f"bench_{pipeline}"))
        await by_hand.none_of_gofer(f"bench_{pipeline}")
        samples[f"{pipeline} by hand"].append(await alone(by_hand))
        await by_hand.all_removed()


if __name__ == "__main__":
    run(measure)
