"""What the client of a call has sent and nobody has read yet."""

import asyncio
from collections.abc import Callable


class CutShort(Exception):
    """The client ended the stream in the middle of a message."""


class Inbox:
    """The bytes of a call's requests, in the place of grpclib's own buffer; for one reader.

    That one keeps an object for each frame, so that a client which sends them a byte at a time makes it hold a hundred
    times what it has sent, and frames without any bytes, which nothing else counts, make it grow without end. It also
    takes such a frame for the end of the requests.
    """

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        """Tell `acknowledge` how many bytes the client may send for those that were read."""
        self._acknowledge = acknowledge
        self._data = bytearray()
        self._unacknowledged = 0  # what is padded counts for more than its bytes
        self._has_ended = False
        self._is_closed = False
        self._changed = asyncio.Event()

    def add(self, data: bytes, ack_size: int) -> None:
        """Take what a frame has brought."""
        if self._is_closed:
            self._acknowledge(ack_size)
            return
        self._data += data
        self._unacknowledged += ack_size
        self._changed.set()

    def eof(self) -> None:
        """Take the end of the requests."""
        self._has_ended = True
        self._changed.set()

    def close(self) -> None:
        """Drop what is here and what comes: nobody reads it."""
        self._is_closed = True
        self._data.clear()
        self._acknowledge_but(0)

    async def read(self, size: int) -> bytes:
        """Give so many bytes, or none at the end of the requests. Raises `CutShort`."""
        while len(self._data) < size and not self._has_ended:
            self._acknowledge_but(0)  # what is here is being read
            self._changed.clear()
            await self._changed.wait()
        if len(self._data) < size:
            if self._data:
                raise CutShort
            return b""
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._acknowledge_but(len(self._data))
        return taken

    def unacked_size(self) -> int:
        """Count what has to be acknowledged at the end of the call."""
        return self._unacknowledged

    def _acknowledge_but(self, left: int) -> None:
        if self._unacknowledged > left:
            size, self._unacknowledged = self._unacknowledged - left, left
            self._acknowledge(size)
