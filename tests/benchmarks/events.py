"""How long after its commit an event is at its followers: at one, and at 100 of them, each with its own connection.

Usage: python -m tests.benchmarks.events [--quick]
The event is the end of a run; the next run begins when this one's end has come. The floor is one follower's figure.
"""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.benchmarks._commits import MILLISECONDS
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._followers import followers
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import gofer, moments

ROUNDS: Final = 100
FOLLOWERS: Final = 100
PAUSE_SECONDS: Final = 0.05
"""So that one event has reached everybody before the next run begins."""
REQUEST: Final = encode(proto.ListEventsRequest(follow=True, kinds=["RUN_COMPLETED"]))


async def delays(folder: Path, count: int, effort: Effort) -> list[float]:
    """Give the milliseconds from each commit to each follower."""
    folder.mkdir()
    path = folder / "moments"
    server_of_it = gofer(folder, "memory", GOFER_BENCH_MOMENTS=str(path))
    async with server_of_it as server, server.client() as client, follower(client) as runs:
        await deploy(client, "single", [task("only")])
        async with followers(server.port, REQUEST, count) as all_of_them:
            for _ in effort.rounds(ROUNDS):
                await runs.seconds_of_run("single")
                await asyncio.sleep(PAUSE_SECONDS)
            came = await all_of_them.events()
    committed = moments(path, "committed")
    return [(at - committed[str(number)]) * MILLISECONDS for number, at in came]


async def measure(effort: Effort) -> list[Figure]:
    """Follow alone, then with many."""
    with tempfile.TemporaryDirectory() as name:
        alone = await delays(Path(name) / "alone", 1, effort)
        many = await delays(Path(name) / "many", FOLLOWERS, effort)
    slowest = percentile(many, 0.99)
    middle = statistics.median(many)
    return [
        Figure(what="an event's commit to its one follower", unit="ms", ours=alone),
        Figure(
            what=f"an event's commit to each of {FOLLOWERS} followers: p50",
            unit="ms",
            ours=many,
            floor=[statistics.median(alone)],
            floor_is="one follower",
            goal=Goal.at_most(5, "ms", middle),
        ),
        Figure(what="the same: p99", unit="ms", ours=[slowest]),
    ]


if __name__ == "__main__":
    run(measure)
