"""What every call passes through, once: who calls, how large, what went wrong, one log line, and the end of it all."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.server import Stream

from gofer.api.caller import Call, Identify, calling
from gofer.api.composite import Rpc
from gofer.api.exchange import Exchange
from gofer.api.grpclib_inside import CLIENT_HAS_GONE, PATIENCE
from gofer.api.status import grpc_error
from gofer.clock import Clock
from gofer.core.errors import ErrorCode, GoferError, ShuttingDown

_log = structlog.get_logger(__name__)

LAST_WORDS: Final = timedelta(seconds=1)
"""How long calls that were cut off at the end of a drain may take to tell their clients."""
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


class Gateway:
    """A servable for grpclib that answers all calls of some services. One may stand behind several listeners."""

    def __init__(
        self,
        *services: Serving,
        identify: Identify,
        max_message_bytes: int,
        clock: Clock,
        make_request_id: Callable[[], str] = make_random_id,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Let a client go that makes the server wait for `patience`."""
        self._rpcs = tuple(rpc for service in services for rpc in service.rpcs)
        self._identify = identify
        self._max_message_bytes = max_message_bytes
        self._clock = clock
        self._make_request_id = make_request_id
        self.patience = patience
        self._calls: dict[asyncio.Timeout, Rpc] = {}
        self._idle = asyncio.Event()
        self._draining = False

    def __mapping__(self) -> dict[str, Handler]:
        """Give grpclib the handler of each path."""
        return {
            rpc.path: Handler(partial(self._handle, rpc), rpc.cardinality, rpc.request_type, rpc.reply_type)
            for rpc in self._rpcs
        }

    async def drain(self, *, grace: timedelta) -> None:
        """Refuse new calls, end streams of replies, and let the other calls finish within the grace.

        What is refused, ended or left over at the end of the grace hears UNAVAILABLE.
        """
        self._draining = True
        self._cut([scope for scope, rpc in self._calls.items() if rpc.cardinality.server_streaming])
        if not await self._wait_idle(grace):
            self._cut(list(self._calls))
            await self._wait_idle(LAST_WORDS)

    def _cut(self, scopes: list[asyncio.Timeout]) -> None:
        now = asyncio.get_running_loop().time()
        for scope in scopes:
            if not scope.expired():
                scope.reschedule(now)

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
            raise ShuttingDown("the server is stopping: try again later")
        scope = asyncio.timeout(None)
        try:
            async with scope:
                await self._admit(scope, rpc, stream, call)
        except TimeoutError:
            if scope.expired():
                raise ShuttingDown("the server is stopping: try again later") from None
            raise

    async def _admit(self, scope: asyncio.Timeout, rpc: Rpc, stream: Stream[object, object], call: Call) -> None:
        self._calls[scope] = rpc
        try:
            caller = await self._identify(call)
            structlog.contextvars.bind_contextvars(caller=caller.name)
            with calling(caller):
                exchange = Exchange(stream, rpc, max_message_bytes=self._max_message_bytes, patience=self.patience)
                await exchange.answer()
        finally:
            del self._calls[scope]
            if not self._calls:
                self._idle.set()

    def _call(self, rpc: Rpc, stream: Stream[object, object]) -> Call:
        metadata: Mapping[str, str | bytes] = stream.metadata or {}
        wanted = str(metadata.get("x-request-id", ""))
        address = stream.peer.addr()
        return Call(
            path=rpc.path,
            request_id=wanted if _REQUEST_ID.fullmatch(wanted) else self._make_request_id(),
            peer=str(address[0]) if address else None,
            authorization=str(metadata.get("authorization", "")),
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
