"""The API's listener: TLS, the gateway behind it, and a stop that ends every call in words."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from gofer.api.gateway import Gateway
from gofer.api.grpclib_inside import TrackingServer
from gofer.api.listen import listen
from gofer.config.address import Address
from gofer_sdk.codec import WireCodec

_log = structlog.get_logger(__name__)

GOODBYE: Final = timedelta(seconds=0.5)
"""How long clients may take to answer the end of their connection."""


class ApiServer:
    """A worker that serves a gateway on an address.

    Ready means that it listens. A stop refuses new calls, ends streams, lets other calls finish for `drain_grace`, and
    closes the connections; it takes at most three seconds longer than that.
    """

    name: Final = "api server"

    def __init__(
        self,
        gateway: Gateway,
        *,
        address: Address,
        tls: ssl.SSLContext,
        drain_grace: timedelta,
        setting: str = "server.host",
    ) -> None:
        """Name `setting` as the one that the address was given by."""
        self.gateway = gateway
        self._address = address
        self._setting = setting
        self._tls = tls
        self._drain_grace = drain_grace
        self._stop = asyncio.Event()
        self._port = 0

    @property
    def port(self) -> int:
        """The port that it listens on, also where the system chose it; 0 before that."""
        return self._port

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(host=self._address.host, port=self._port or self._address.port)

    async def run(self, ready: Callable[[], None]) -> None:
        """Listen until stopped. `FailedPrecondition` says why it can't."""
        servers: list[TrackingServer] = []
        try:
            await self._start(servers)
            _log.info("listening", address=str(self.address))
            ready()
            await self._stop.wait()
            await self.gateway.drain(grace=self._drain_grace)
        finally:
            async with asyncio.TaskGroup() as group:
                for number, server in enumerate(servers):
                    group.create_task(server.close_all(grace=GOODBYE), name=f"close listener {number}")

    async def _start(self, servers: list[TrackingServer]) -> None:
        listeners = await listen(self._address, setting=self._setting)
        self._port = listeners[0].getsockname()[1]
        try:
            while listeners:
                server = TrackingServer([self.gateway], codec=WireCodec(), patience=self.gateway.patience)
                await server.start(sock=listeners[0], ssl=self._tls)
                servers.append(server)
                del listeners[0]  # it is the server's now
        finally:
            for listener in listeners:
                listener.close()

    def stop(self) -> None:
        """Begin to drain."""
        self._stop.set()
