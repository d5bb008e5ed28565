"""Followers of events as a process of their own: they note when bytes come, and look at them later.

python -m tests.benchmarks._followers PORT REQUEST_HEX COUNT

Opens so many connections, each with one ListEvents stream. Prints `ready`, and when a line comes on its standard input
the moments as JSON: [id of the event, seconds by the clock that all processes share] for each event of each follower.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived

from gofer_sdk._proto import proto
from gofer_sdk.codec import decode
from tests.benchmarks._server import ROOT

HOST: Final = "127.0.0.1"
PREFIX_BYTES: Final = 5
HEADERS: Final = [
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/proto.Gofer/ListEvents"),
    (":authority", HOST),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


class FollowerProtocol(asyncio.Protocol):
    """One connection. What is sent to it stays below HTTP/2's first window, so that nothing needs an answer."""

    def __init__(self, request: bytes) -> None:
        self._connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._request = request
        self._came: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._connection.initiate_connection()
        self._connection.send_headers(1, HEADERS)
        body = b"\0" + len(self._request).to_bytes(4, "big") + self._request
        self._connection.send_data(1, body, end_stream=True)
        transport.write(self._connection.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Note when it came."""
        self._came.append((time.monotonic(), data))

    def events(self) -> list[tuple[int, float]]:
        """Read what came: the events' ids and when the last byte of each was there."""
        found: list[tuple[int, float]] = []
        rest = b""
        for at, data in self._came:
            frames = [each.data for each in self._connection.receive_data(data) if isinstance(each, DataReceived)]
            rest = rest + b"".join(frames)
            while len(rest) >= PREFIX_BYTES:
                stop = PREFIX_BYTES + int.from_bytes(rest[1:PREFIX_BYTES], "big")
                if len(rest) < stop:
                    break
                event = decode(proto.ListEventsResponse, rest[PREFIX_BYTES:stop]).event
                assert event is not None
                found.append((event.id, at))
                rest = rest[stop:]
        return found


async def follow(port: int, request: bytes, count: int) -> list[tuple[int, float]]:
    """Follow until somebody wants to know."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    loop = asyncio.get_running_loop()
    protocols: list[FollowerProtocol] = []
    for _ in range(count):
        _, protocol = await loop.create_connection(lambda: FollowerProtocol(request), HOST, port, ssl=context)
        protocols.append(protocol)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    return [each for protocol in protocols for each in protocol.events()]


class Followers:
    """The other side of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def events(self) -> list[tuple[int, float]]:
        """Give what they have seen, and end them."""
        said, _ = await self._process.communicate(b"\n")
        return [(number, at) for number, at in json.loads(said)]


@asynccontextmanager
async def followers(port: int, request: bytes, count: int) -> AsyncIterator[Followers]:
    """Have so many followers, connected, for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks._followers", str(port), request.hex(), str(count)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            message = "the followers did not get ready"
            raise RuntimeError(message)
        yield Followers(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    found = asyncio.run(follow(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write(json.dumps(found))
