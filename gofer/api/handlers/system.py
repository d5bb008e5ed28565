"""The server itself."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from gofer.api.caller import current_caller
from gofer.api.convert.system import system_info_to_proto
from gofer.clock import Clock
from gofer.core.errors import InvalidInput
from gofer.services.stopping import Stopping
from gofer.services.system import System
from gofer_sdk._proto import proto

_FOR_EVER_MS: Final = 10**12


class SystemHandlers(proto.GoferBase):
    """The RPCs about the server itself."""

    def __init__(self, *, system: System, stopping: Stopping, clock: Clock) -> None:
        self._system = system
        self._stopping = stopping
        self._clock = clock

    async def get_system_info(self, message: proto.GetSystemInfoRequest) -> proto.GetSystemInfoResponse:  # noqa: ARG002 - empty
        """Serve GetSystemInfo."""
        return system_info_to_proto(await self._system.get_info(current_caller()), at=self._clock.now())

    async def toggle_event_ingress(self, message: proto.ToggleEventIngressRequest) -> proto.ToggleEventIngressResponse:  # noqa: ARG002 - empty
        """Serve ToggleEventIngress."""
        return proto.ToggleEventIngressResponse(value=not await self._system.toggle_ingress(current_caller()))

    async def stop_server(self, message: proto.StopServerRequest) -> AsyncIterator[proto.StopServerResponse]:
        """Serve StopServer."""
        if message.drain_timeout_ms < 0:
            raise InvalidInput("drain_timeout_ms must not be negative")
        longest_ms = min(message.drain_timeout_ms, _FOR_EVER_MS)
        longest = timedelta(milliseconds=longest_ms) if longest_ms else None
        async with aclosing(self._stopping.run(current_caller(), drain=message.drain, longest=longest)) as steps:
            async for progress in steps:
                yield proto.StopServerResponse(live_runs=progress.live_runs, stopping=progress.stopping)
