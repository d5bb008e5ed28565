"""Where the API listens: on the server's own address, and where containers call it back."""

import errno
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from gofer.api.caller import Identify, LoopbackTrust, TokenCheck
from gofer.api.door import Door
from gofer.api.gateway import Gateway, Serving
from gofer.api.listen import is_covered
from gofer.api.server import ApiServer
from gofer.config.address import Address
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer.lifecycle import running

_log = structlog.get_logger(__name__)

DRAIN_MARGIN: Final = timedelta(seconds=3)
"""What the stop of a listener may take beyond its grace, for last words and goodbyes."""


class CallbackListener:
    """A worker that serves where containers call back, and does nothing where it can't listen there."""

    name: Final = "callback listener"

    def __init__(self, server: ApiServer) -> None:
        """Run this listener."""
        self._server = server

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until stopped, or return at once."""
        try:
            await self._server.run(ready)
        except FailedPrecondition as error:
            cause = error.__cause__
            absent = isinstance(cause, OSError) and cause.errno == errno.EADDRNOTAVAIL  # as where there is no Docker
            log = _log.info if absent else _log.warning
            log("containers can't call the API back", address=str(self._server.address), error=error.message)

    def stop(self) -> None:
        """Begin to drain."""
        self._server.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """What the listeners of the API share. `drain_grace` is how long calls may take to finish at a stop."""

    services: tuple[Serving, ...]
    tokens: TokenCheck
    settings: Settings
    tls: ssl.SSLContext
    drain_grace: timedelta

    async def open(self, stack: AsyncExitStack) -> ApiServer:
        """Listen until the stack is closed, on both addresses; give the listener on the server's own.

        Raises `FailedPrecondition` where that can't be. That containers can't call back is told in the log only.
        """
        trusted = self.settings.development.bypass_auth
        server = self._server(
            LoopbackTrust(others=self.tokens) if trusted else self.tokens, self.settings.server.host, "server.host"
        )
        await stack.enter_async_context(running(server, grace=self.drain_grace + DRAIN_MARGIN))
        await self._open_callback(stack)
        return server

    async def _open_callback(self, stack: AsyncExitStack) -> None:
        address = self.settings.server.address
        if await is_covered(address, self.settings.server.host):
            return
        # Whoever comes this way shows a token, also in dev mode.
        server = CallbackListener(self._server(self.tokens, address, "server.address"))
        await stack.enter_async_context(running(server, grace=self.drain_grace + DRAIN_MARGIN))

    def _server(self, identify: Identify, address: Address, setting: str) -> ApiServer:
        gateway = Gateway(
            *self.services,
            door=Door(identify=identify),
            max_message_bytes=self.settings.max_message_bytes,
            clock=self.tokens.clock,
        )
        self.tokens.known.on_revoked(gateway.end_calls_of)
        return ApiServer(gateway, address=address, tls=self.tls, drain_grace=self.drain_grace, setting=setting)


def callback_address(settings: Settings, listening: Address, *, isolated: bool) -> Address:
    """Give where a task reaches the API: from a container `server.address`, else where the server listens."""
    if isolated:
        return replace(settings.server.address, port=settings.server.address.port or listening.port)
    return replace(listening, host="localhost") if listening.host in {"0.0.0.0", "::"} else listening  # noqa: S104
