"""A client that speaks HTTP/2 and has no manners: it leaves, waits, or reads nothing, wherever a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes

WIDE = 2**30


class RudeClient:
    """One connection.

    Attributes:
        statuses: the gRPC status of each call that has ended, -1 where it was reset.

    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = H2Connection(H2Configuration(header_encoding=None))
        self._ended: set[int] = set()
        self.statuses: dict[int, int] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int, *, window_bytes: int = WIDE) -> AsyncIterator[Self]:
        """Connect, let the server send so many bytes a call, and leave without a word at the end of the block."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        client = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
        client._connection.initiate_connection()
        client._connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window_bytes})
        client._connection.increment_flow_control_window(WIDE)
        try:
            yield client
        finally:
            client._writer.transport.abort()

    def call(self, path: str, *, timeout: str = "") -> int:
        """Begin a call; its number."""
        number = self._connection.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        if timeout:
            headers.append(("grpc-timeout", timeout))
        self._connection.send_headers(number, headers)
        return number

    def send(self, number: int, data: bytes, *, end: bool = True) -> None:
        """Send bytes as the body of a call."""
        self._connection.send_data(number, data, end_stream=end)

    def reset(self, number: int) -> None:
        """Take a call back."""
        if number not in self._ended:
            self._connection.reset_stream(number)

    async def flush(self) -> None:
        """Have what was sent on its way."""
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()

    def read_no_more(self) -> None:
        """Leave in the socket what comes from now on."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()

    async def until_ended(self, numbers: set[int]) -> None:
        """Read until these calls have ended."""
        while not numbers <= self._ended:
            await self.flush()
            data = await self._reader.read(1 << 20)
            assert data, "the server ended the connection"
            for event in self._connection.receive_data(data):
                match event:
                    case DataReceived():
                        self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case TrailersReceived():
                        status = dict(event.headers).get(b"grpc-status", b"-1")
                        self.statuses[event.stream_id] = int(status)
                    case StreamEnded():
                        self._ended.add(event.stream_id)
                    case StreamReset():
                        self.statuses[event.stream_id] = -1
                        self._ended.add(event.stream_id)
                    case _:
                        pass


def framed(body: bytes) -> bytes:
    """Make a message of a call's body."""
    return b"\0" + len(body).to_bytes(4, "big") + body
