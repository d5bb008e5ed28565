"""What it costs to keep objects: small ones beside the disk's own commits, a large one beside a plain file.

Usage: python -m tests.benchmarks.objects [--quick]
A put waits for two commits, one after the other: the content, and the record that names it. What it replaced is deleted
after the reply, many at once.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.codec import encode
from tests.benchmarks._commits import Commits
from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._load import Loader, Order, loader
from tests.benchmarks._runs import deploy, task
from tests.benchmarks._server import Process, gofer

ROUNDS: Final = 7
SECONDS: Final = 1.0
CALLERS: Final = (1, 16, 64)
PREDECESSOR: Final = {1: 343, 16: 279, 64: 219}
CONTENT: Final = b"sixteen bytes ok"
COMMITS: Final = 2
FLOOR_COMMITS: Final = 30
MOST_MILLISECONDS_ABOVE: Final = 3.0
MIB: Final = 1024 * 1024
LARGE_MIB: Final = 1024
MOST_MEGABYTES: Final = 100
THEIR_COMMITS: Final = "2 commits of SQLite alone"


def order(server: Process, callers: int) -> Order:
    """Put one object again and again."""
    request = proto.PutPipelineObjectRequest(pipeline_id="objects", key="small", content=CONTENT, force=True)
    return Order(
        port=server.port,
        pid=server.process.pid,
        rpc="/proto.Gofer/PutPipelineObject",
        request=encode(request).hex(),
        callers=callers,
        seconds=SECONDS,
    )


async def puts(load: Loader, server: Process, commits: Commits, callers: int, effort: Effort) -> list[Figure]:
    """Load the server, and the disk alone, in turns."""
    latencies: list[float] = []
    rates: list[float] = []
    costs: list[float] = []
    floor: list[float] = []
    for _ in effort.rounds(ROUNDS):
        floor.append(await commits.milliseconds_of(FLOOR_COMMITS) * COMMITS / FLOOR_COMMITS)
        done = await load.obey(order(server, callers))
        calls = sum(each.calls for each in done)
        latencies.append(statistics.median(value for each in done for value in each.latencies))
        rates.append(sum(each.calls / each.seconds for each in done))
        costs.append(max(each.cpu_seconds for each in done) / calls * 1000)
    what = f"PutPipelineObject of 16 bytes, {callers} client{'s' if callers > 1 else ''}"
    one_by_one = [1000 / each for each in floor]
    least = PREDECESSOR[callers]
    rate = Figure(
        what=what,
        unit="/s",
        ours=rates,
        floor=one_by_one,
        floor_is=f"{THEIR_COMMITS}, one after the other",
        predecessor=f"{least}/s",
        goal=None if callers == 1 else Goal.at_least(least, "/s", statistics.median(rates), because="0.6.2"),
    )
    cost = Figure(what=f"{what}: server CPU a call", unit="ms", ours=costs)
    if callers > 1:
        return [rate, cost]
    # A third commit is allowed, which it does not wait for.
    above = statistics.median(ours - alone for ours, alone in zip(latencies, floor, strict=True))
    limit = MOST_MILLISECONDS_ABOVE + statistics.median(floor) / COMMITS
    goal = Goal.at_most(limit, "ms above the floor", above, because="3 ms + 1 commit")
    return [
        Figure(what=f"{what}: one call", unit="ms", ours=latencies, floor=floor, floor_is=THEIR_COMMITS, goal=goal),
        rate,
        cost,
    ]


async def pieces_of(count: int) -> AsyncIterator[bytes]:
    """Make a large object, a MiB at a time."""
    piece = os.urandom(MIB)
    for _ in range(count):
        yield piece


def file_rate(folder: Path, count: int) -> float:
    """Write as much to a file, durably; MiB a second."""
    piece = os.urandom(MIB)
    began = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        for _ in range(count):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    (folder / "plain").unlink()
    return count / took


async def large(server: Process, client: GoferClient, folder: Path, effort: Effort) -> list[Figure]:
    """Keep one large object and read it again, and see how much memory that takes."""
    count = max(64, round(LARGE_MIB * effort.share))
    name = f"an object of {count:,} MiB"
    floor = await asyncio.to_thread(file_rate, folder, count)
    before = server.rss_megabytes()
    began = time.perf_counter()
    await client.objects.put("objects", "large", pieces_of(count))
    up = count / (time.perf_counter() - began)
    began, size_bytes = time.perf_counter(), 0
    async with client.objects.open("objects", "large") as found:
        async for piece in found.content:
            size_bytes += len(piece)
    down = count / (time.perf_counter() - began)
    assert size_bytes == count * MIB
    grown = server.peak_megabytes() - before
    goal = Goal.at_most(MOST_MEGABYTES, "MB", grown)
    return [
        Figure(what=f"{name}, up", unit="MiB/s", ours=[up], floor=[floor], floor_is="a plain file, with fsync"),
        Figure(what=f"{name}, down", unit="MiB/s", ours=[down]),
        Figure(what=f"{name}, up and down: the server's peak above its start", unit="MB", ours=[grown], goal=goal),
    ]


async def measure(effort: Effort) -> list[Figure]:
    """Put small objects by few and many, and a large one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with gofer(folder, "memory") as server, server.client() as client:
            await deploy(client, "objects", [task("only")])
            of_large = await large(server, client, folder, effort)
            of_small = await small(server, folder, effort)
    return of_small + of_large


async def small(server: Process, folder: Path, effort: Effort) -> list[Figure]:
    """Put small objects by few and many."""
    async with loader() as load:
        with Commits(folder) as commits:
            found = [await puts(load, server, commits, callers, effort) for callers in CALLERS]
    return [figure for each in found for figure in each]


if __name__ == "__main__":
    run(measure)
