"""The connection to a server: made at the first call, made again when it is lost."""

import asyncio
from pathlib import Path
from typing import TypeVar

import betterproto2
from grpclib.client import Stream
from grpclib.config import Configuration
from grpclib.const import Cardinality

from gofer_sdk.client.address import ServerAddress
from gofer_sdk.client.channel import ClosingChannel
from gofer_sdk.client.tls import tls_context
from gofer_sdk.client.token import Token
from gofer_sdk.codec import WireCodec

Request = TypeVar("Request", bound=betterproto2.Message)
Reply = TypeVar("Reply", bound=betterproto2.Message)

SERVICE = "proto.Gofer"
# A stream that only waits must notice a server that is gone without a word: a ping after so many seconds of silence.
_PING_AFTER_SECONDS = 30.0
_PONG_WITHIN_SECONDS = 20.0


def rpc_of(request: betterproto2.Message) -> str:
    """Return the name of the call that a request belongs to."""
    return type(request).__name__.removesuffix("Request")


class Connection:
    """An HTTP/2 connection with TLS, whose calls carry the token."""

    def __init__(self, *, address: ServerAddress, token: Token | None, tls_ca: str | Path | None) -> None:
        self.address = address
        self._metadata = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        self._tls_ca = tls_ca
        self._channel: ClosingChannel | None = None

    async def open(self) -> None:
        """Prepare to connect; nothing is sent yet.

        Raises ValueError or OSError where `tls_ca` can't be used, RuntimeError where it is open already.
        """
        if self._channel is not None:
            raise RuntimeError("the client is open already: use it in one `async with` at a time")
        context = await asyncio.to_thread(tls_context, self._tls_ca, verified=self.address.is_verified)
        self._channel = ClosingChannel(
            self.address.host,
            self.address.port,
            ssl=context,
            codec=WireCodec(),
            config=Configuration(
                _keepalive_time=_PING_AFTER_SECONDS,
                _keepalive_timeout=_PONG_WITHIN_SECONDS,
                _http2_max_pings_without_data=0,  # 0 = any number
                _http2_min_sent_ping_interval_without_data=_PING_AFTER_SECONDS,
            ),
        )

    async def close(self) -> None:
        """Give the connection up, and return when it is closed; calls that are under way fail."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close_and_wait()

    async def connect(self) -> None:
        """Return when there is a connection. Raises OSError where there can't be one."""
        await self._open_channel().__connect__()

    def call(
        self, request: Request, reply_type: type[Reply], cardinality: Cardinality, *, seconds: float | None = None
    ) -> Stream[Request, Reply]:
        """Return the call that a request belongs to, not begun yet; without `seconds` it may take for ever."""
        route = f"/{SERVICE}/{rpc_of(request)}"
        return self._open_channel().call(
            route, cardinality, type(request), reply_type, metadata=self._metadata, seconds=seconds
        )

    def _open_channel(self) -> ClosingChannel:
        if self._channel is None:
            raise RuntimeError("the client is not open: use it as `async with GoferClient(...) as client:`")
        return self._channel
