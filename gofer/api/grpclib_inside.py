"""The only module that knows names which grpclib 0.4.9 and its h2 keep private; a test holds every one of them.

What they are for: to look at a message's length before its body is read, to send many messages in one buffer, to
answer calls that there are not, to close connections, which grpclib leaves open and served after its `close`, and to
hold little for each of them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Never, cast

from grpclib import protocol
from grpclib.const import Cardinality, Status
from grpclib.const import Handler as Method
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol
from grpclib.server import Handler, Server, Stream
from h2.events import UnknownFrameReceived
from h2.exceptions import ProtocolError
from h2.utilities import SizeLimitDict

from gofer.api.gathering import GatheringTransport
from gofer.api.headers import CallDecoder, ReplyEncoder, written
from gofer.api.inbox import CutShort, Inbox

if TYPE_CHECKING:
    from grpclib._typing import IServable

CLIENT_HAS_GONE: Final = (ProtocolError,)
"""What sending raises once the client has reset the stream."""
LINGER: Final = timedelta(seconds=0.1)
"""Between the last reply and the end of its connection: where both come at once, a client built on grpclib takes an
error at the end of a stream for its normal end."""
PATIENCE: Final = timedelta(seconds=60)
"""How long a client may take nothing of what is sent to it."""
MOST_CLOSED_STREAMS: Final = 256
"""How many calls that are over a connection still knows, so that what their client sent before it heard of the end does
no harm: by then it has begun a hundred others at the most, as only so many may be open. h2 itself remembers 65,536,
which makes eight megabytes of every connection that lasts."""
PIECE_BYTES: Final = 64 * 1024
"""Of a message, to look at whether the other side goes on sending or taking."""
TIMEOUT: Final = "grpc-timeout"
MOST_DIGITS: Final = 18
"""Of a timeout: three decades, in nanoseconds."""
BINARY: Final = "-bin"
"""How the names of metadata end whose values are bytes."""
_A_MILLISECOND: Final = {"H": 1, "M": 1, "S": 1, "m": 1, "u": 1_000, "n": 1_000_000}
PREFIX_BYTES: Final = 5  # of a message: a byte that says whether it is compressed, then its length
_SHOWN_OF_A_PATH: Final = 200  # characters


class Frame:
    """The beginning of a message: its prefix is read, its body is not."""

    def __init__(self, stream: Stream[object, object], prefix: bytes) -> None:
        self._stream = stream
        self.is_compressed = prefix[0] != 0
        self.size_bytes = int.from_bytes(prefix[1:], "big")

    async def body(self, *, going_on: Callable[[], None] = lambda: None) -> bytes:
        """Read the body; more of it is asked from the client only as it is read. Raises `CutShort`.

        `going_on` is called before each piece is waited for.
        """
        pieces: list[bytes] = []
        left = self.size_bytes
        while left:
            going_on()
            piece = await self._stream._stream.recv_data(min(left, PIECE_BYTES))  # noqa: SLF001
            if not piece:
                raise CutShort
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


async def next_frame(stream: Stream[object, object]) -> Frame | None:
    """Read the prefix of the next message; None where the client has ended its side. Raises `CutShort`."""
    prefix = await stream._stream.recv_data(PREFIX_BYTES)  # noqa: SLF001
    return Frame(stream, prefix) if prefix else None


def read_no_more(stream: Stream[object, object]) -> None:
    """Drop what the client sends from now on."""
    buffer: object = stream._stream.buffer  # noqa: SLF001
    assert isinstance(buffer, Inbox)  # noqa: S101 - every call was given one
    buffer.close()


async def send_buffer(
    stream: Stream[object, object], buffer: bytes, *, going_on: Callable[[], None] = lambda: None
) -> None:
    """Send whole messages, each with its prefix, at once; waits for the client's windows as any other send.

    `going_on` is called before each piece is sent.
    """
    if not stream._send_initial_metadata_done:  # noqa: SLF001
        await stream.send_initial_metadata()
    for begin in range(0, len(buffer), PIECE_BYTES):
        going_on()
        await stream._stream.send_data(buffer[begin : begin + PIECE_BYTES])  # noqa: SLF001
        # With a wide window that never waits: let other calls in.
        await asyncio.sleep(0)
    stream._send_message_done = True  # noqa: SLF001


def send_at_once(stream: Stream[object, object], messages: bytes) -> bool:
    """Send whole messages, each with its prefix, in one frame, and tell so; where that has to wait, nothing is sent.

    One event goes to many followers, of whom the last waits for all the others: so it takes none of the steps that
    sending takes elsewhere, and goes out now, not at the end of the loop's turn.
    """
    below = stream._stream  # noqa: SLF001
    connection = below._h2_connection  # noqa: SLF001
    if below.id is None or not (stream._send_initial_metadata_done and below.connection.write_ready.is_set()):  # noqa: SLF001
        return False
    if len(messages) > min(connection.max_outbound_frame_size, connection.local_flow_control_window(below.id)):
        return False
    connection.send_data(below.id, messages)
    transport = below._transport  # noqa: SLF001
    write = transport.write_now if isinstance(transport, GatheringTransport) else transport.write
    write(connection.data_to_send())
    return True


def accepted_on(stream: Stream[object, object]) -> str | None:
    """Give this machine's IP address that the connection of a call came to; None where there is no network between."""
    address = stream.peer._transport.get_extra_info("sockname")  # noqa: SLF001
    return str(address[0]) if isinstance(address, tuple) else None


def flush(stream: Stream[object, object]) -> None:
    """Send now what was given to the stream, not at the end of the loop's turn."""
    transport = stream._stream._transport  # noqa: SLF001
    if isinstance(transport, GatheringTransport):
        transport.flush()


async def _refuse(stream: Stream[object, object]) -> Never:
    path = stream._method_name[:_SHOWN_OF_A_PATH]  # noqa: SLF001
    raise GRPCError(Status.UNIMPLEMENTED, f"this server has no call {path!r}; reflection lists those that it has")


_NO_METHOD: Final = Method(_refuse, Cardinality.STREAM_STREAM, object, object)


class Methods(dict[str, Method]):
    """The methods by their paths, and one for all other paths, which says that there is none.

    grpclib itself says so without a content type, for which its own clients throw the answer away: UNKNOWN.
    """

    def get(self, path: str, default: object = None, /) -> Method:
        """Give what answers a call."""
        del default
        return super().get(path, _NO_METHOD)


class TolerantHandler(Handler):
    """Starts the calls of a connection, also those whose headers grpclib would fail over, and forgets them at once.

    grpclib keeps what has ended, with all that its frames hold, until the tenth call or connection that comes after it.
    """

    on_over: Callable[[Handler], None] = staticmethod(lambda _: None)

    def accept(
        self, stream: protocol.Stream, headers: list[tuple[str, str]], release_stream: Callable[[], object]
    ) -> None:
        """Start a call; without a path it is unknown, and a deadline that has passed is one that passes at once."""
        stream.buffer = cast("protocol.Buffer", Inbox(partial(_acknowledge, stream)))
        super().accept(stream, [(":method", ""), (":path", ""), *_mended(headers)], release_stream)
        self._tasks[stream].add_done_callback(lambda done: self._forget(stream, done))

    def cancel(self, stream: protocol.Stream) -> None:
        """End a call that the client has taken back, unless it has ended."""
        if stream in self._tasks:
            super().cancel(stream)

    def leave_if_over(self) -> None:
        """Tell once the connection is closed and its last call has ended."""
        if self.closing and not self._tasks and not self._cancelled:
            self.on_over(self)

    def _forget(self, stream: protocol.Stream, done: "asyncio.Task[None]") -> None:
        self._tasks.pop(stream, None)
        self._cancelled.discard(done)
        self.leave_if_over()


def _acknowledge(stream: protocol.Stream, size_bytes: int) -> None:
    if not stream.connection.is_closing() and stream.id is not None:
        stream.connection.ack(stream.id, size_bytes)


def _mended(headers: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name == TIMEOUT:
            yield from ((name, timeout) for timeout in _timeouts(value))
        elif not name.endswith(BINARY):  # no call reads any, and grpclib never answers where one is malformed
            yield name, value


def _timeouts(timeout: str) -> Iterator[str]:
    amount, unit = timeout[:-1], timeout[-1:]
    if not (amount.isascii() and amount.isdigit()) or unit not in _A_MILLISECOND:
        yield timeout  # which grpclib refuses
    elif len(amount) <= MOST_DIGITS:  # a longer one is none, and too long for Python's numbers in the end
        # A shorter one has passed before grpclib looks at it, which it takes for a fault of the method.
        yield timeout if int(amount) >= _A_MILLISECOND[unit] else "1m"


class TrackedProtocol(H2Protocol):
    """One connection, which the server that accepted it can close, and which ends if its client reads no more."""

    def __init__(self, handler: TolerantHandler, *, server: "TrackingServer") -> None:
        super().__init__(handler, server._config, server._h2_config)  # noqa: SLF001
        self._server = server
        self._calls = handler
        self._transport: asyncio.BaseTransport | None = None
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the server's connections."""
        if isinstance(transport, asyncio.Transport):
            transport = GatheringTransport(transport)
        super().connection_made(transport)
        below = self.connection._connection  # noqa: SLF001
        below._closed_streams = SizeLimitDict(size_limit=MOST_CLOSED_STREAMS)  # noqa: SLF001
        below.encoder = ReplyEncoder(self._server.written_headers)
        below.decoder = CallDecoder()
        below.decoder.max_header_list_size = below.DEFAULT_MAX_HEADER_LIST_SIZE
        # grpclib would end the connection; HTTP/2 wants frames of an unknown kind to be passed over.
        self.processor.processors[UnknownFrameReceived] = _pass_over
        self._transport = transport
        self._server.joined(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave them."""
        self._look_no_more()
        super().connection_lost(exc)
        self._server.left(self)
        self._calls.leave_if_over()

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        """Go on sending."""
        self._look_no_more()
        super().resume_writing()

    def _look_again(self) -> None:
        self._look_no_more()
        waiting = self._waiting_bytes()
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._server.patience.total_seconds(), self._check_progress, waiting)

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _check_progress(self, waiting_before: int) -> None:
        if self._waiting_bytes() < waiting_before:
            self._look_again()
        else:
            self.abort()

    def _waiting_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if isinstance(self._transport, asyncio.WriteTransport) else 0

    def close(self) -> None:
        """Send what waits to be sent, and close.

        No GOAWAY goes first: a client built on grpclib throws away the replies that came with it.
        """
        self.connection.close()

    def abort(self) -> None:
        """Close without waiting for the client."""
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()


def _pass_over(event: UnknownFrameReceived) -> None:
    del event


class TrackingServer(Server):
    """A grpclib server that can close its connections."""

    def __init__(self, services: "Collection[IServable]", *, codec: CodecBase, patience: timedelta = PATIENCE) -> None:
        super().__init__(services, codec=codec)
        self.patience = patience
        self._mapping = Methods(self._mapping)
        # As ASCII, one odd byte in one call's metadata would end the connection of all of them.
        self._h2_config.header_encoding = "latin-1"
        # What is sent is grpclib's own few headers, in small letters: no need to look at each of them with each reply.
        self._h2_config.validate_outbound_headers = False
        self._h2_config.normalize_outbound_headers = False
        self.written_headers = written()
        self._connections: set[TrackedProtocol] = set()
        self._changed = asyncio.Event()

    def joined(self, connection: TrackedProtocol) -> None:
        """Keep a new connection."""
        self._connections.add(connection)

    def left(self, connection: TrackedProtocol) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)
        self._changed.set()

    async def close_all(self, *, grace: timedelta) -> None:
        """Let the last replies go out, stop listening, and close all connections; either within the grace."""
        await self._all_answered(grace)
        if self._connections:
            await asyncio.sleep(LINGER.total_seconds())
        self.close()
        for connection in tuple(self._connections):
            connection.close()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._all_left()
        except TimeoutError:  # a client that does not answer the goodbye of TLS
            for connection in tuple(self._connections):
                connection.abort()
            await self._all_left()
        # From Python 3.12 on this waits also for clients that never finished their TLS handshake.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                await self.wait_closed()

    async def _all_answered(self, grace: timedelta) -> None:
        # A call is over for its handler a little before its status is on the way to the client.
        tasks = {task for handler in self._handlers for task in handler._tasks.values()}  # noqa: SLF001
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())

    async def _all_left(self) -> None:
        while self._connections:
            self._changed.clear()
            await self._changed.wait()

    def _protocol_factory(self) -> H2Protocol:
        self.__gc_step__()
        handler = TolerantHandler(self._mapping, self._codec, self._status_details_codec, self.__dispatch__)
        handler.on_over = self._forget
        self._handlers.add(handler)
        return TrackedProtocol(handler, server=self)

    def _forget(self, over: Handler) -> None:
        self._handlers.discard(over)
