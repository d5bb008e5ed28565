"""The connection to a server: made at the first call, made again when it is lost."""

import asyncio
from pathlib import Path

from grpclib.client import Channel
from grpclib.config import Configuration

from gofer_sdk._proto import proto
from gofer_sdk.client.address import ServerAddress
from gofer_sdk.client.tls import tls_context
from gofer_sdk.client.token import Token
from gofer_sdk.codec import WireCodec

# A stream that only waits must notice a server that is gone without a word: a ping after so many seconds of silence.
_PING_AFTER_SECONDS = 30.0
_PONG_WITHIN_SECONDS = 20.0


class Connection:
    """An HTTP/2 connection with TLS, and the generated stub over it, which carries the token."""

    def __init__(self, *, address: ServerAddress, token: Token | None, tls_ca: str | Path | None) -> None:
        self.address = address
        self._metadata = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        self._tls_ca = tls_ca
        self._channel: Channel | None = None

    async def open(self) -> None:
        """Prepare to connect; nothing is sent yet. Raises ValueError or OSError where `tls_ca` can't be used."""
        context = await asyncio.to_thread(tls_context, self._tls_ca, verified=self.address.is_verified)
        self._channel = Channel(
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

    def close(self) -> None:
        """Give the connection up; calls that are under way fail."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def connect(self) -> None:
        """Return when there is a connection. Raises OSError where there can't be one."""
        await self._open_channel().__connect__()

    @property
    def stub(self) -> proto.GoferStub:
        """The calls of the API, as they are generated."""
        return proto.GoferStub(self._open_channel(), metadata=self._metadata)

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise RuntimeError("the client is not open: use it as `async with GoferClient(...) as client:`")
        return self._channel
