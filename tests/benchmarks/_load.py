"""Clients as a process of their own, told by lines of JSON what to ask and how many of them at once.

python -m tests.benchmarks._load

Takes the fields of an `Order` as JSON, a line each, and answers with those of a `Done`. Each caller has a connection
of its own and makes one call after the other; replies are taken as the bytes that they are, so that the load is the
server's and not the client's.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Final

from grpclib.client import Channel
from grpclib.const import Cardinality
from grpclib.encoding.base import CodecBase

from tests.benchmarks._figures import cpu_seconds

HOST: Final = "127.0.0.1"
MOST_LATENCIES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do: `rpc` by its path, `request` encoded, in hexadecimal digits; `pid` is the server's.

    Each caller waits for `pause` seconds after each call.
    """

    port: int
    pid: int
    rpc: str
    request: str
    callers: int
    seconds: float
    pause: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it, and the server's processor time meanwhile; latencies in milliseconds, of very many only some."""

    calls: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]


class BytesCodec(CodecBase):
    """Messages are bytes."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: type[bytes]) -> bytes:
        """Give what was given."""
        del message_type
        return message

    def decode(self, data: bytes, message_type: type[bytes]) -> bytes:
        """Give what was given."""
        del message_type
        return data


def channel_to(port: int) -> Channel:
    """Give a connection, not made yet, to a server of this machine."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return Channel(HOST, port, ssl=context, codec=BytesCodec())


async def obey(order: Order) -> Done:
    """Make calls for so many seconds; those that are under way then don't count."""
    channels = [channel_to(order.port) for _ in range(order.callers)]
    request = bytes.fromhex(order.request)
    try:
        for channel in channels:
            await one_call(channel, order.rpc, request)
        latencies: list[float] = []
        cpu = cpu_seconds(order.pid)
        began = time.perf_counter()
        until = began + order.seconds
        async with asyncio.TaskGroup() as group:
            for number, channel in enumerate(channels):
                calling = call_until(channel, order, request, until=until, latencies=latencies)
                group.create_task(calling, name=f"caller {number}")
        took = time.perf_counter() - began
        cpu = cpu_seconds(order.pid) - cpu
    finally:
        for channel in channels:
            channel.close()
    step = max(1, len(latencies) // MOST_LATENCIES)
    return Done(calls=len(latencies), seconds=took, cpu_seconds=cpu, latencies=sorted(latencies)[::step])


async def call_until(channel: Channel, order: Order, request: bytes, *, until: float, latencies: list[float]) -> None:
    """Make one call after the other."""
    while (began := time.perf_counter()) < until:
        await one_call(channel, order.rpc, request)
        latencies.append((time.perf_counter() - began) * 1000)
        if order.pause:
            await asyncio.sleep(order.pause)


async def one_call(channel: Channel, rpc: str, request: bytes) -> bytes:
    """Make one call; its reply."""
    async with channel.request(rpc, Cardinality.UNARY_UNARY, bytes, bytes) as stream:
        await stream.send_message(request, end=True)
        reply = await stream.recv_message()
    assert reply is not None
    return reply


class Loader:
    """The other side of it: processes that are told what to do."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def obey(self, order: Order) -> list[Done]:
        """Share an order out to the processes; to one alone where there is one caller."""
        shares = [order.callers // len(self._processes)] * len(self._processes)
        shares[0] += order.callers - sum(shares)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_told(process, order, share), name=f"load {share}")
                for process, share in zip(self._processes, shares, strict=True)
                if share
            ]
        return [task.result() for task in tasks]


@asynccontextmanager
async def loader(count: int = 2) -> AsyncIterator[Loader]:
    """Have so many processes ready for the length of the block."""
    processes: list[asyncio.subprocess.Process] = []
    try:
        while len(processes) < count:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.benchmarks._load"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1024 * 1024,
            )
            processes.append(process)
        yield Loader(processes)
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()


async def _told(process: asyncio.subprocess.Process, order: Order, callers: int) -> Done:
    assert process.stdin is not None
    assert process.stdout is not None
    line = json.dumps(asdict(order) | {"callers": callers})
    process.stdin.write(line.encode() + b"\n")
    answer = await process.stdout.readline()
    if not answer:
        message = "the load ended before its time"
        raise RuntimeError(message)
    return Done(**json.loads(answer))


def main() -> None:
    """Obey line after line until there are no more."""
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            done = runner.run(obey(Order(**json.loads(line))))
            sys.stdout.write(json.dumps(asdict(done)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
