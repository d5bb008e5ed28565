"""The server itself."""

from gofer.api.caller import current_caller
from gofer.api.convert.system import system_info_to_proto
from gofer.clock import Clock
from gofer.services.system import System
from gofer_sdk._proto import proto


class SystemHandlers(proto.GoferBase):
    """The RPCs about the server itself."""

    def __init__(self, *, system: System, clock: Clock) -> None:
        self._system = system
        self._clock = clock

    async def get_system_info(self, message: proto.GetSystemInfoRequest) -> proto.GetSystemInfoResponse:  # noqa: ARG002 - empty
        """Serve GetSystemInfo."""
        return system_info_to_proto(await self._system.get_info(current_caller()), at=self._clock.now())

    async def toggle_event_ingress(self, message: proto.ToggleEventIngressRequest) -> proto.ToggleEventIngressResponse:  # noqa: ARG002 - empty
        """Serve ToggleEventIngress."""
        return proto.ToggleEventIngressResponse(value=not await self._system.toggle_ingress(current_caller()))
