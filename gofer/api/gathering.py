"""One write to the socket for all that a turn of the event loop sends.

A reply is three frames: its headers, its message, its end. Sent one by one, each is a TLS record, a call of the system,
and a turn of the client's own loop.
"""

import asyncio
from typing import Final

MOST_WAITING_BYTES: Final = 64 * 1024
"""So much is sent at once, so that flow control sees it."""


class GatheringTransport(asyncio.Transport):
    """A transport that hands what is written on at the end of the loop's turn, in one piece and in order.

    What is written before `close` is sent; `abort` drops it. All else is the other transport's own.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Write to `transport`."""
        super().__init__()
        self._transport = transport
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._call_soon = asyncio.get_running_loop().call_soon
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]  # asked with each call
        self.is_closing = transport.is_closing  # type: ignore[method-assign]  # as that

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send the bytes at the end of this turn."""
        if not data:
            return
        if not self._parts:
            self._call_soon(self.flush)
        self._parts.append(bytes(data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= MOST_WAITING_BYTES:
            self.flush()

    def write_now(self, data: bytes) -> None:
        """Send the bytes now, after what waits."""
        self.flush()
        self._transport.write(data)

    def flush(self) -> None:
        """Send what waits."""
        if self._parts:
            data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self._waiting_bytes = 0
            self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Count what waits, here and below."""
        return self._waiting_bytes + self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Send what waits, and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close, and send nothing more."""
        self._parts.clear()
        self._waiting_bytes = 0
        self._transport.abort()
