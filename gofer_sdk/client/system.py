"""The server itself."""

from collections.abc import AsyncGenerator
from datetime import timedelta

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls


class SystemCalls:
    """What a server says of itself."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def info(self) -> proto.GetSystemInfoResponse:
        """Return the server's version, its engine, and what its users should know. Needs no token."""
        return await self._calls.safe(proto.GetSystemInfoRequest(), proto.GetSystemInfoResponse)

    async def toggle_event_ingress(self) -> bool:
        """Have the server refuse every new run from now on, or take them again; return whether it takes them now.

        The server's next start goes by its settings. Needs a management token. Raises PermissionDenied.
        """
        reply = await self._calls.once(proto.ToggleEventIngressRequest(), proto.ToggleEventIngressResponse)
        return not reply.value

    def stop(
        self, *, drain: bool = False, timeout: timedelta | None = None
    ) -> AsyncGenerator[proto.StopServerResponse, None]:
        """Have the server end, as a signal would; containers go on running, and its next start takes them up again.

        With `drain` it first refuses new runs, and waits until those under way have ended, or `timeout` is over. Each
        response tells how many are left; the last one that it stops now. Whoever closes the generator before that has
        taken the stop back. Raises PermissionDenied, FailedPrecondition (it is being drained already).
        """
        wait_ms = 0 if timeout is None else max(1, round(timeout.total_seconds() * 1000))
        return self._calls.stream(
            proto.StopServerRequest(drain=drain, drain_timeout_ms=wait_ms), proto.StopServerResponse
        )

    def rotate_key(self) -> AsyncGenerator[proto.RotateKeyResponse, None]:
        """Have everything encrypted with the server's current key; yield how far that is, to its end.

        What is interrupted may be begun again.

        Raises PermissionDenied, FailedPrecondition (another one goes on).
        """
        return self._calls.stream(proto.RotateKeyRequest(), proto.RotateKeyResponse)
