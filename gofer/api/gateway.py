"""What every call passes through, once: who calls, how large, what went wrong, one log line, and the end of it all."""

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.server import Stream

from gofer.api.caller import Call, calling
from gofer.api.composite import Rpc
from gofer.api.door import Door
from gofer.api.exchange import OPEN_BYTES, Exchange
from gofer.api.grpclib_inside import CLIENT_HAS_GONE, PATIENCE, accepted_on
from gofer.api.room import RequestRoom
from gofer.api.status import grpc_error
from gofer.clock import Clock
from gofer.core.access import Caller, TokenId
from gofer.core.errors import ErrorCode, GoferError, ShuttingDown, Unauthenticated

_log = structlog.get_logger(__name__)

LAST_WORDS: Final = timedelta(seconds=1)
"""How long calls that were cut off at the end of a drain may take to tell their clients."""
LARGEST_AT_ONCE: Final = 2
"""How many requests of the largest size there is room for; of smaller ones there is for more."""
_LOGGED_CHARACTERS: Final = 1000  # of an error, which may repeat what the client sent
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def make_random_id() -> str:
    """Give an id for a call that came without one."""
    return secrets.token_hex(8)


class Serving(Protocol):
    """A complete wire service."""

    @property
    def rpcs(self) -> tuple[Rpc, ...]:
        """Give all its calls."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class _OpenCall:
    """A call that is being answered. `over` says why it has to end, or why its next request is refused."""

    rpc: Rpc
    scope: asyncio.Timeout
    caller: Caller | None = None
    over: GoferError | None = None

    @property
    def is_stream(self) -> bool:
        return self.rpc.cardinality is not Cardinality.UNARY_UNARY

    def cut(self, why: GoferError) -> None:
        """End it now."""
        if not self.scope.expired():
            self.over = why
            self.scope.reschedule(asyncio.get_running_loop().time())


class Gateway:
    """A servable for grpclib that answers all calls of some services. One may stand behind several listeners."""

    def __init__(
        self,
        *services: Serving,
        door: Door,
        max_message_bytes: int,
        clock: Clock,
        make_request_id: Callable[[], str] = make_random_id,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Let a client go that makes the server wait for `patience`. Raises `TypeError` for a call without a rule."""
        self.rpcs = tuple(rpc for service in services for rpc in service.rpcs)
        door.check_complete(self.rpcs)
        self._door = door
        self._max_message_bytes = max_message_bytes
        self._room = RequestRoom(limit_bytes=LARGEST_AT_ONCE * max_message_bytes)
        self._clock = clock
        self._make_request_id = make_request_id
        self.patience = patience
        self._calls: set[_OpenCall] = set()
        self._idle = asyncio.Event()
        self._draining = False

    def __mapping__(self) -> dict[str, Handler]:
        """Give grpclib the handler of each path."""
        return {
            rpc.path: Handler(partial(self._handle, rpc), rpc.cardinality, rpc.request_type, rpc.reply_type)
            for rpc in self.rpcs
        }

    async def drain(self, *, grace: timedelta) -> None:
        """Refuse new calls, end streams of replies, and let the other calls finish within the grace.

        What is refused, ended or left over at the end of the grace hears UNAVAILABLE.
        """
        self._draining = True
        self._cut(call for call in self._calls if call.rpc.cardinality.server_streaming)
        if not await self._wait_idle(grace):
            self._cut(self._calls)
            await self._wait_idle(LAST_WORDS)

    def end_calls_of(self, tokens: Collection[TokenId]) -> None:
        """End the streams of those tokens, and refuse their calls whose request has not come yet."""
        over = Unauthenticated("your token was deleted or disabled meanwhile, or opens less now")
        for call in tuple(self._calls):
            if call.caller is not None and call.caller.token in tokens:
                call.over = over
                if call.is_stream:
                    call.cut(over)

    def _cut(self, calls: Iterable[_OpenCall]) -> None:
        for call in tuple(calls):
            call.cut(_going_away())

    async def _wait_idle(self, grace: timedelta) -> bool:
        try:
            async with asyncio.timeout(max(0.0, grace.total_seconds())):
                while self._calls:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _handle(self, rpc: Rpc, stream: Stream[object, object]) -> None:
        call = self._call(rpc, stream)
        structlog.contextvars.bind_contextvars(request=call.request_id)
        began = self._clock.monotonic()
        try:
            await self._serve(rpc, stream, call)
        except asyncio.CancelledError:
            # Either the deadline that came with the call, or the client has gone; grpclib says the rest.
            late = stream.deadline is not None and stream.deadline.time_remaining() <= 0
            self._tell(call, Status.DEADLINE_EXCEEDED if late else Status.CANCELLED, began)
            raise
        except Exception as error:
            answer = _answer(error, call)
            self._tell(call, answer.status, began, error=error)
            raise answer from error
        self._tell(call, Status.OK, began)

    async def _serve(self, rpc: Rpc, stream: Stream[object, object], call: Call) -> None:
        if self._draining:
            raise _going_away()
        open_call = _OpenCall(rpc=rpc, scope=asyncio.timeout(None))
        try:
            async with open_call.scope:
                await self._admit(open_call, stream, call)
        except TimeoutError:
            if open_call.scope.expired():
                raise (open_call.over or _expired()) from None
            raise

    async def _admit(self, open_call: _OpenCall, stream: Stream[object, object], call: Call) -> None:
        self._calls.add(open_call)
        rpc = open_call.rpc
        try:
            caller = await self._door.admit(rpc, call)
            # Nothing is awaited between what the door has found out and this, so that no revocation is missed.
            open_call.caller = caller
            self._end_with_token(open_call, caller)
            structlog.contextvars.bind_contextvars(caller=caller.name)

            def check(request: object) -> None:
                if open_call.over is not None:
                    raise open_call.over
                if caller.expires_at is not None and caller.expires_at <= self._clock.now():
                    raise _expired()
                self._door.check_request(rpc, caller, request)

            with calling(caller):
                exchange = Exchange(
                    stream,
                    rpc,
                    check=check,
                    max_message_bytes=OPEN_BYTES if self._door.is_open(rpc) else self._max_message_bytes,
                    room=self._room,
                    patience=self.patience,
                )
                await exchange.answer()
        finally:
            self._calls.discard(open_call)
            if not self._calls:
                self._idle.set()

    def _end_with_token(self, open_call: _OpenCall, caller: Caller) -> None:
        if open_call.is_stream and caller.expires_at is not None and open_call.over is None:
            left = caller.expires_at - self._clock.now()
            open_call.scope.reschedule(asyncio.get_running_loop().time() + left.total_seconds())

    def _call(self, rpc: Rpc, stream: Stream[object, object]) -> Call:
        metadata = stream.metadata
        wanted = "" if metadata is None else str(metadata.get("x-request-id", ""))
        address = stream.peer.addr()
        return Call(
            path=rpc.path,
            request_id=wanted if _REQUEST_ID.fullmatch(wanted) else self._make_request_id(),
            peer=str(address[0]) if address else None,
            accepted_on=accepted_on(stream),
            authorization=() if metadata is None else tuple(map(str, metadata.getall("authorization", ()))),
        )

    def _tell(self, call: Call, status: Status, began: timedelta, *, error: Exception | None = None) -> None:
        facts = {
            "rpc": call.path,
            "status": status.name,
            "milliseconds": round((self._clock.monotonic() - began) / timedelta(milliseconds=1), 3),
            "peer": call.peer,
        }
        if status is Status.INTERNAL:
            _log.error("call", **facts, exc_info=error)
        elif isinstance(error, GoferError):
            _log.info("call", **facts, error=error.message[:_LOGGED_CHARACTERS])
        else:
            _log.info("call", **facts)


def _going_away() -> ShuttingDown:
    return ShuttingDown("the server is stopping: try again later")


def _expired() -> Unauthenticated:
    return Unauthenticated("your token has expired meanwhile")


def _answer(error: Exception, call: Call) -> GRPCError:
    match error:
        case GRPCError():
            return error
        case GoferError() if error.code is not ErrorCode.INTERNAL:
            return grpc_error(error)
        case StreamTerminatedError():
            return GRPCError(Status.CANCELLED, "the client has gone")
        case _ if isinstance(error, CLIENT_HAS_GONE):
            return GRPCError(Status.CANCELLED, "the client has gone")
        case _:
            # What it was is nobody's business outside; the log has it, under the same id.
            return GRPCError(
                Status.INTERNAL, f"internal error: the server's log tells more of request {call.request_id}"
            )
