"""Very many: a run of 20,000 tasks on the memory engine, 10,000 queued runs, and how long other calls wait meanwhile.

Usage: python -m tests.benchmarks.large [--quick]
The calls are those of one client that asks for the system's information and for a pipeline in turns, with a pause of
some milliseconds after each. It is a process of its own.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.codec import encode
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._load import Loader, Order, loader
from tests.benchmarks._run_load import START
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import Process, gofer

TASKS: Final = 20_000
WIDTH: Final = 10
QUEUED: Final = 10_000
PAUSE_SECONDS: Final = 0.005
CALL: Final = "/proto.Gofer/GetPipeline"
REQUEST: Final = encode(proto.GetPipelineRequest(id="held"))


def tasks(count: int) -> list[proto.UserPipelineTaskConfig]:
    """Give layers of ten tasks, each of which waits for two of the layer before."""

    def parents(number: int) -> list[str]:
        above = number - number % WIDTH - WIDTH
        return [] if above < 0 else [f"task_{above + (number + step) % WIDTH}" for step in (0, 1)]

    return [task(f"task_{number}", parents=parents(number)) for number in range(count)]


class Calls:
    """Latencies of calls that are made for the length of a block."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def goal(self, what: str) -> Figure:
        """Give the row of the 99th of 100."""
        slowest = percentile(self.milliseconds, 0.99)
        return Figure(what=what, unit="ms", ours=[slowest], goal=Goal.at_most(100, "ms", slowest))


@asynccontextmanager
async def calls(load: Loader, server: Process) -> AsyncIterator[Calls]:
    """Make calls for the length of the block."""
    found, over = Calls(), asyncio.Event()
    order = Order(
        port=server.port,
        pid=server.process.pid,
        rpc=CALL,
        request=REQUEST.hex(),
        callers=1,
        seconds=0.5,
        pause=PAUSE_SECONDS,
    )

    async def make() -> None:
        while not over.is_set():
            for done in await load.obey(order):
                found.milliseconds.extend(done.latencies)

    async with asyncio.TaskGroup() as group:
        group.create_task(make(), name="calls")
        try:
            yield found
        finally:
            over.set()


async def queue(load: Loader, server: Process, count: int) -> None:
    """Start so many runs, of which one only may run."""
    initiator = proto.Initiator(type=proto.InitiatorType.HUMAN, name="bench")
    request = encode(proto.StartRunRequest(pipeline_id="held", initiator=initiator))
    started = 0
    while started < count:
        order = Order(port=server.port, pid=server.process.pid, rpc=START, request=request.hex(), callers=16, seconds=2)
        started += sum(done.calls for done in await load.obey(order))


async def measure(effort: Effort) -> list[Figure]:
    """Queue, register, and run."""
    share = 1.0 if effort.share >= 1 else 0.1
    count, queued = round(TASKS * share), round(QUEUED * share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with gofer(folder, "memory") as server, server.client() as client, loader(2) as load, loader(1) as one:
            await _deploy_held(client)
            figures = await _queued(client, server, (load, one), count=count, queued=queued)
        alone = folder / "alone"
        alone.mkdir()
        async with gofer(alone, "memory") as server, server.client() as client, loader(1) as one:
            await _deploy_held(client)
            figures += await _run(client, server, one, count)
    return figures


async def _deploy_held(client: GoferClient) -> None:
    held = proto.UserPipelineConfig(
        id="held", name="held", parallelism=1, tasks=[task("only", variables={"GOFER_MEMORY_HOLD": "true"})]
    )
    await client.pipelines.register(held)
    await client.pipelines.deploy("held", 1)


async def _queued(
    client: GoferClient, server: Process, loaders: tuple[Loader, Loader], *, count: int, queued: int
) -> list[Figure]:
    load, one = loaders
    await queue(load, server, queued)
    async with calls(one, server) as while_queued:
        await queue(load, server, queued // 10)
    standing = server.rss_megabytes()
    async with calls(one, server) as while_registered:
        await deploy(client, "wide", tasks(count))
        await asyncio.sleep(1)
    peak = server.peak_megabytes()
    return [
        while_queued.goal(f"GetPipeline with {queued:,} queued runs, while 16 clients start more: p99"),
        while_registered.goal(f"the same, while a pipeline of {count:,} tasks is registered and deployed: p99"),
        Figure(what="the server's memory with the queue (RSS)", unit="MB", ours=[standing]),
        Figure(
            what="the server's memory at its most, the registration included",
            unit="MB",
            ours=[peak],
            goal=Goal.at_most(250, "MB", peak),
        ),
    ]


async def _run(client: GoferClient, server: Process, one: Loader, count: int) -> list[Figure]:
    await deploy(client, "wide", tasks(count))
    cpu, began = server.cpu_seconds(), time.perf_counter()
    async with follower(client) as runs, calls(one, server) as meanwhile:
        await runs.seconds_of_run("wide")
    took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
    what = f"a run of {count:,} tasks on the memory engine"
    return [
        Figure(what=f"{what}: start to end", unit="s", ours=[took]),
        Figure(what=f"{what}: server CPU each task", unit="ms", ours=[cpu / count * 1000]),
        Figure(what=f"{what}: the server's memory at its most", unit="MB", ours=[server.peak_megabytes()]),
        Figure(what="GetPipeline meanwhile: p99", unit="ms", ours=[percentile(meanwhile.milliseconds, 0.99)]),
    ]


if __name__ == "__main__":
    run(measure)
