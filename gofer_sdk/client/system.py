"""The server itself."""

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls


class SystemCalls:
    """What a server says of itself."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def info(self) -> proto.GetSystemInfoResponse:
        """Return the server's version, its engine, and what its users should know. Needs no token."""
        return await self._calls.safe(proto.GetSystemInfoRequest(), proto.GetSystemInfoResponse)
