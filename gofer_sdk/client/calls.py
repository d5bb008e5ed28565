"""One call, from its request to its typed error: what all nouns of the client share."""

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

import betterproto2
from grpclib.client import Stream
from grpclib.const import Cardinality
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import ProtocolError as StreamIsClosed

from gofer_sdk.client.connection import Connection, rpc_of
from gofer_sdk.client.patience import OnRetry, Patience
from gofer_sdk.client.two_ways import TwoWays, take_back
from gofer_sdk.codec import MalformedMessage, UnencodableMessage
from gofer_sdk.errors import (
    CallFailed,
    InvalidInput,
    ServerFault,
    Unavailable,
    Untrusted,
    from_connection,
    from_status,
    from_timeout,
)

Request = TypeVar("Request", bound=betterproto2.Message)
Reply = TypeVar("Reply", bound=betterproto2.Message)


@dataclass(slots=True)
class _Failures:
    """How often in a row, and since when, a call has failed."""

    count: int = 0
    since: float = 0.0

    def add(self, at: float) -> None:
        self.count += 1
        self.since = self.since or at

    def forget(self) -> None:
        self.count, self.since = 0, 0.0


@dataclass(slots=True)
class _Link:
    """A stream over all the connections that carry it one after the other; the first one is tried until a time."""

    deadline: float
    failures: _Failures = field(default_factory=_Failures)
    was_open: bool = False
    has_ended: bool = False


class _Foreign:
    """Remembers what the caller's own code raised within a call, which is no failure of the call."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.error = error


class Calls:
    """The calls of one client: deadlines, repetition, typed errors, and the namespace of those that name none."""

    def __init__(
        self, *, connection: Connection, namespace: str, patience: Patience, on_retry: OnRetry | None = None
    ) -> None:
        self.connection = connection
        self._namespace = namespace
        self._patience = patience
        self._on_retry = on_retry

    def namespace(self, asked: str) -> str:
        """Return the namespace of a call: the one that it asks for, else the client's."""
        return asked or self._namespace

    async def once(self, request: Request, reply_type: type[Reply]) -> Reply:
        """Make a call that must not be made twice.

        Raises CallFailed.
        """
        return await self._attempt(request, reply_type, self._patience.call_timeout.total_seconds())

    async def safe(self, request: Request, reply_type: type[Reply]) -> Reply:
        """Make a call that may be made again where the server was unavailable.

        Raises CallFailed.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._patience.call_timeout.total_seconds()
        failures = _Failures()
        while True:
            try:
                return await self._attempt(request, reply_type, deadline - now())
            except Unavailable as fault:
                failures.add(now())
                await self._wait_or_raise(fault, failures, deadline=deadline)

    async def upload(
        self, messages: AsyncIterable[Request], request_type: type[Request], reply_type: type[Reply]
    ) -> Reply:
        """Make a call of many messages, which are asked for as fast as they go out; it is not made twice.

        The server may take as long for each message, and for the answer, as for a call. Raises CallFailed, and what
        `messages` raises; then the server gets no end of the stream, and forgets what it got.
        """
        rpc = rpc_of(request_type())
        source = _Foreign()
        await self._connect(rpc)
        call = self.connection.call(request_type(), reply_type, Cardinality.STREAM_UNARY)
        try:
            with self._typed_errors(rpc):
                reply = await self._uploaded(call, messages, source)
        except CallFailed as fault:
            if source.error is not None and fault.__cause__ is source.error:
                raise source.error from None
            raise
        if reply is None:
            raise ServerFault(f"{rpc}: the server ended the call without an answer", rpc=rpc)
        return reply

    async def _uploaded(
        self, call: Stream[Request, Reply], messages: AsyncIterable[Request], source: _Foreign
    ) -> Reply | None:
        async with call as stream:
            await self._send_all(stream, messages, source)
            async with asyncio.timeout(self._patience.call_timeout.total_seconds()):
                return await _received(stream)

    async def _send_all(
        self, stream: Stream[Request, Reply], messages: AsyncIterable[Request], source: _Foreign
    ) -> None:
        iterator = aiter(messages)
        while True:
            with source:
                message = await anext(iterator, None)
            async with asyncio.timeout(self._patience.call_timeout.total_seconds()):
                await _send_or_end(stream, message)
            if message is None:
                return

    async def stream(self, request: Request, reply_type: type[Reply]) -> AsyncGenerator[Reply, None]:
        """Yield the answers of a stream, which is not opened again where it breaks.

        Raises CallFailed.
        """
        await self._connect(rpc_of(request))
        with self._typed_errors(rpc_of(request)):
            async with self.connection.call(request, reply_type, Cardinality.UNARY_STREAM) as answers:
                await answers.send_message(request, end=True)
                while (answer := await _received(answers)) is not None:
                    yield answer

    @asynccontextmanager
    async def both_ways(self, request: Request, reply_type: type[Reply]) -> AsyncIterator[TwoWays[Request, Reply]]:
        """Open a stream with messages both ways, beginning with this one; leaving it early takes the call back.

        Raises CallFailed.
        """
        rpc = rpc_of(request)
        await self._connect(rpc)
        stream = await self.connection.call(request, reply_type, Cardinality.STREAM_STREAM).__aenter__()
        try:
            with self._typed_errors(rpc):
                await stream.send_message(request)
            yield TwoWays(stream, lambda: self._typed_errors(rpc))
        finally:
            await take_back(stream)

    async def resumed(self, request: Request, reply_type: type[Reply]) -> AsyncGenerator[Reply, None]:
        """Yield the answers of a stream, opened again where it breaks.

        The caller moves the request on with each answer, so that it always asks for what has not come yet. Raises
        CallFailed.
        """
        link = _Link(deadline=asyncio.get_running_loop().time() + self._patience.call_timeout.total_seconds())
        while not link.has_ended:
            async with aclosing(self._until_lost(request, reply_type, link)) as answers:
                async for answer in answers:
                    yield answer

    async def _until_lost(self, request: Request, reply_type: type[Reply], link: _Link) -> AsyncGenerator[Reply, None]:
        """Yield the answers of a stream up to its end, or up to a loss after which it may be opened again."""
        now = asyncio.get_running_loop().time
        opened = None
        try:
            await self._connect(rpc_of(request))
            link.was_open, opened = True, now()
            async with aclosing(self.stream(request, reply_type)) as answers:
                async for answer in answers:
                    link.failures.forget()
                    yield answer
        except Unavailable as fault:
            if opened is not None and now() - opened > self._patience.longest_delay.total_seconds():
                link.failures.forget()  # it held for a while: this is another loss, not the same one
            link.failures.add(now())
            until = link.failures.since + self._patience.reconnect_for.total_seconds() if link.was_open else None
            await self._wait_or_raise(
                fault, link.failures, until=until, deadline=None if link.was_open else link.deadline
            )
        else:
            link.has_ended = True

    async def _wait_or_raise(
        self, fault: Unavailable, failures: _Failures, *, deadline: float | None = None, until: float | None = None
    ) -> None:
        """Wait before the next try; raise the fault where there is to be none.

        Without `until` the number of tries is bounded; with it, their time.
        """
        delay = self._patience.delay_after(failures.count)
        at = asyncio.get_running_loop().time() + delay.total_seconds()
        is_last = at > until if until is not None else failures.count >= self._patience.attempts
        if is_last or isinstance(fault, Untrusted) or (deadline is not None and at > deadline):
            raise fault
        if self._on_retry is not None:
            self._on_retry(fault, delay)
        await asyncio.sleep(delay.total_seconds())

    async def _attempt(self, request: Request, reply_type: type[Reply], seconds: float) -> Reply:
        rpc = rpc_of(request)
        with self._typed_errors(rpc):
            call = self.connection.call(request, reply_type, Cardinality.UNARY_UNARY, seconds=max(seconds, 0.0))
            async with call as stream:
                await stream.send_message(request, end=True)
                reply = await _received(stream)
        if reply is None:
            raise ServerFault(f"{rpc}: the server ended the call without an answer", rpc=rpc)
        return reply

    async def _connect(self, rpc: str) -> None:
        seconds = self._patience.call_timeout.total_seconds()
        with self._typed_errors(rpc):
            try:
                async with asyncio.timeout(seconds):
                    await self.connection.connect()
            except TimeoutError as late:
                # Nothing was sent: this is no answer that is missing, but as any connection that can't be made.
                raise OSError(
                    late.errno or errno.ETIMEDOUT, late.strerror or f"no connection within {seconds:g} s"
                ) from late

    @contextmanager
    def _typed_errors(self, rpc: str) -> Iterator[None]:
        host = str(self.connection.address)
        try:
            yield
        except GRPCError as error:
            raise from_status(error, rpc=rpc, host=host) from error
        except TimeoutError as error:
            if error.errno is not None:  # the system's own, of a connection that was never made
                raise from_connection(error, rpc=rpc, host=host) from error
            raise from_timeout(rpc=rpc, host=host) from error
        except (OSError, StreamTerminatedError, ProtocolError) as error:
            raise from_connection(error, rpc=rpc, host=host) from error
        except UnencodableMessage as error:
            raise InvalidInput(f"{rpc} can't be asked: {error}", rpc=rpc, host=host) from error
        except MalformedMessage as error:
            raise ServerFault(f"{rpc}: the answer of {host} is {error}", rpc=rpc, host=host) from error


async def _send_or_end(stream: Stream[Request, Reply], message: Request | None) -> None:
    try:
        await (stream.end() if message is None else stream.send_message(message))
    except StreamIsClosed as fault:  # the server has said its last word already; grpclib tells it on the way out
        raise StreamTerminatedError("the server takes no more of the call") from fault


async def _received(stream: Stream[Request, Reply]) -> Reply | None:
    try:
        answer = await stream.recv_message()
    except AssertionError as fault:  # how grpclib says that the stream ended in the middle of a message
        # On the way out grpclib puts the status in the place of this error, where the server has sent one.
        raise StreamTerminatedError("the answer ends in the middle of a message") from fault
    if answer is None:
        # Left to its own, grpclib takes any end for a good one where the connection is being closed by then.
        await stream.recv_trailing_metadata()
    return answer
