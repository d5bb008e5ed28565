"""Followers of events as a process of their own: they note when bytes come, and decrypt and read them later.

So the hundred of them take little of the two cores that they share with the server, as they would not elsewhere.

python -m tests.benchmarks._followers PORT REQUEST_HEX COUNT

Opens so many connections, each with one ListEvents stream. Prints `ready`, and when a line comes on its standard input
the moments as JSON: [id of the event, seconds by the clock that all processes share] for each event of each follower.
"""

import asyncio
import contextlib
import json
import selectors
import socket
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
READ_BYTES: Final = 64 * 1024
HEADERS: Final = [
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/proto.Gofer/ListEvents"),
    (":authority", HOST),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


class Connection:
    """One connection. What is sent to it stays below HTTP/2's first window, so that nothing needs an answer."""

    def __init__(self, port: int, request: bytes, context: ssl.SSLContext) -> None:
        """Connect, and ask."""
        self.socket = socket.create_connection((HOST, port))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._came: list[tuple[float, bytes]] = []
        self._shake_hands()
        self._connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._connection.initiate_connection()
        self._connection.send_headers(1, HEADERS)
        self._connection.send_data(1, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
        self._tls.write(self._connection.data_to_send())
        self.socket.sendall(self._outgoing.read())

    def read(self) -> None:
        """Note what has come, and when."""
        data = self.socket.recv(READ_BYTES)
        self._came.append((time.monotonic(), data))

    def events(self) -> list[tuple[int, float]]:
        """Look at what came: the events' ids and when the last byte of each was there."""
        found: list[tuple[int, float]] = []
        rest = b""
        for at, data in self._came:
            self._incoming.write(data)
            received = self._connection.receive_data(self._decrypted())
            rest = rest + b"".join(each.data for each in received if isinstance(each, DataReceived))
            while len(rest) >= PREFIX_BYTES:
                stop = PREFIX_BYTES + int.from_bytes(rest[1:PREFIX_BYTES], "big")
                if len(rest) < stop:
                    break
                event = decode(proto.ListEventsResponse, rest[PREFIX_BYTES:stop]).event
                assert event is not None
                found.append((event.id, at))
                rest = rest[stop:]
        return found

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self._outgoing.read())
                self._incoming.write(self.socket.recv(READ_BYTES))
            else:
                return

    def _decrypted(self) -> bytes:
        pieces: list[bytes] = []
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
        return b"".join(pieces)


def follow(port: int, request: bytes, count: int) -> list[tuple[int, float]]:
    """Follow until somebody wants to know."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        connections: list[Connection] = []
        for _ in range(count):
            connection = Connection(port, request, context)
            stack.enter_context(connection.socket)
            selector.register(connection.socket, selectors.EVENT_READ, connection.read)
            connections.append(connection)
        selector.register(sys.stdin, selectors.EVENT_READ)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while _all_read(selector):
            pass
        return [each for connection in connections for each in connection.events()]


def _all_read(selector: selectors.BaseSelector) -> bool:
    going_on = True
    for key, _ in selector.select():
        if key.data is None:  # a line on the standard input
            going_on = False
        else:
            key.data()
    return going_on


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
    found = follow(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(found))
