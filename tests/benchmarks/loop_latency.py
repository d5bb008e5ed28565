"""How long a trivial call waits while the server reads messages of 20,000 tasks, one after the other.

Usage: python -m tests.benchmarks.loop_latency [--quick]
Such messages are decoded in a thread, but a thread that holds the interpreter holds the loop up, too. So the server
lets a thread hold it for half a millisecond only; the floor is the same server with Python's own five. The messages
are sent to a namespace that does not exist: they are read and refused, and nothing is stored.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.benchmarks._figures import Effort, Figure, percentile, run
from tests.benchmarks._load import channel_to, one_call
from tests.benchmarks._server import Process, gofer

ROUNDS: Final = 6
TASKS: Final = 20_000
MESSAGES: Final = 3
PAUSE_SECONDS: Final = 0.005
PYTHONS_OWN: Final = "0.005"
TRIVIAL: Final = "/proto.Gofer/GetSystemInfo"
LARGE: Final = "/proto.Gofer/RegisterPipelineConfig"


def large_request() -> bytes:
    """Give a pipeline of many tasks, for a namespace that there is not."""
    wanted = proto.UserPipelineTaskConfigRequiredParentStatus.SUCCESS
    tasks = [
        proto.UserPipelineTaskConfig(
            id=f"task_{n}",
            image="docker.io/library/busybox:1.36",
            depends_on={f"task_{n - 1}": wanted} if n else {},
            variables={"KEY": f"value {n}"},
            command=["sh", "-c", "echo a line to be logged"],
        )
        for n in range(TASKS)
    ]
    config = proto.UserPipelineConfig(id="large", name="large", tasks=tasks)
    return encode(proto.RegisterPipelineConfigRequest(namespace_id="nowhere", pipeline_config=config))


async def send_large(server: Process, request: bytes) -> None:
    """Have the server read a few large messages."""
    channel = channel_to(server.port)
    try:
        for _ in range(MESSAGES):
            await _refused(channel, request)
    finally:
        channel.close()


async def _refused(channel: Channel, request: bytes) -> None:
    try:
        await one_call(channel, LARGE, request)
    except GRPCError as error:
        if error.status is not Status.NOT_FOUND:
            raise


async def latencies(server: Process, request: bytes) -> list[float]:
    """Make trivial calls all the while; their milliseconds."""
    channel = channel_to(server.port)
    found: list[float] = []
    try:
        await one_call(channel, TRIVIAL, b"")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send_large(server, request), name="large messages")
            while not sending.done():
                began = time.perf_counter()
                await one_call(channel, TRIVIAL, b"")
                found.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        channel.close()
    return found


async def measure(effort: Effort) -> list[Figure]:
    """Ask both servers in turns."""
    request = large_request()
    ours: list[list[float]] = []
    floor: list[list[float]] = []
    with tempfile.TemporaryDirectory() as name:
        quick, slow = Path(name) / "quick", Path(name) / "slow"
        quick.mkdir()
        slow.mkdir()
        other = gofer(slow, "memory", GOFER_BENCH_SWITCH_INTERVAL=PYTHONS_OWN)
        async with gofer(quick, "memory") as server, other as unchanged:
            for _ in effort.rounds(ROUNDS):
                ours.append(await latencies(server, request))
                floor.append(await latencies(unchanged, request))
    what = f"a trivial call while messages of {TASKS:,} tasks are read"
    return [
        Figure(
            what=f"{what}, {name}",
            unit="ms",
            ours=[percentile(each, share) for each in ours],
            floor=[percentile(each, share) for each in floor],
            floor_is="with Python's own switch interval",
        )
        for name, share in (("median", 0.5), ("p99", 0.99), ("longest", 1.0))
    ]


if __name__ == "__main__":
    run(measure)
