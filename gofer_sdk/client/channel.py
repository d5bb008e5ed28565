"""grpclib's channel, and the end of its connections, which grpclib itself does not wait for."""

import asyncio
from asyncio import BaseTransport, Transport
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Final, TypeVar, cast

import betterproto2
from grpclib.client import Channel, Handler
from grpclib.const import Cardinality
from grpclib.protocol import H2Protocol
from h2.utilities import SizeLimitDict

from gofer_sdk.client.waking import Call

Request = TypeVar("Request", bound=betterproto2.Message)
Reply = TypeVar("Reply", bound=betterproto2.Message)

GOODBYE_SECONDS: Final = 0.5
"""How long a server may take to answer the end of TLS; one that is gone never does."""

MOST_CLOSED_STREAMS: Final = 256
"""How many calls that are over a connection still knows, for what the server sent before it heard of a cancel. h2
itself remembers 65,536, which makes eight megabytes of a client that stays."""


class ClosingChannel(Channel):
    """A channel whose close can be waited for."""

    # What the methods below override and read is private to grpclib, whose version is therefore an exact one.
    # Without the wait a closed connection is open until the loop turns again, and says so where it turns no more.

    async def close_and_wait(self) -> None:
        """Close, and return when nothing is open any more, half a second later at the most. Calls under way fail."""
        self.close()
        left = tuple(self._open)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await _all_lost(left)
        finally:
            for protocol in left:
                protocol.abort()
        await _all_lost(left)

    def call(
        self,
        route: str,
        cardinality: Cardinality,
        request_type: type[Request],
        reply_type: type[Reply],
        *,
        metadata: dict[str, str],
        seconds: float | None = None,
    ) -> Call[Request, Reply]:
        """Return a call that is not begun yet; without `seconds` it may take for ever."""
        like = self.request(route, cardinality, request_type, reply_type, timeout=seconds, metadata=metadata)
        return Call(
            self,
            route,
            like._metadata,  # noqa: SLF001
            cardinality,
            request_type,
            reply_type,
            codec=self._codec,
            status_details_codec=self._status_details_codec,
            dispatch=self.__dispatch__,
            deadline=like._deadline,  # noqa: SLF001
        )

    @cached_property
    def _open(self) -> "set[_Protocol]":
        return set()

    def _protocol_factory(self) -> H2Protocol:
        protocol = _Protocol(Handler(), self._config, self._h2_config)
        protocol.on_made, protocol.on_lost = self._open.add, self._open.discard
        return protocol


class _Protocol(H2Protocol):
    """One connection, which tells when it is made and when it is lost."""

    on_made: "Callable[[_Protocol], None]"
    on_lost: "Callable[[_Protocol], None]"

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.connection._connection._closed_streams = SizeLimitDict(size_limit=MOST_CLOSED_STREAMS)  # noqa: SLF001
        self._transport = cast("Transport", transport)
        self.lost = asyncio.Event()
        self.on_made(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.on_lost(self)
        self.lost.set()

    def abort(self) -> None:
        """End it without a goodbye, if it has not ended."""
        if not self.lost.is_set():
            self._transport.abort()


async def _all_lost(protocols: tuple[_Protocol, ...]) -> None:
    for protocol in protocols:
        await protocol.lost.wait()
