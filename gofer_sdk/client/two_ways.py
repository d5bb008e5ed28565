"""A stream with messages both ways."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Generic, TypeVar

import betterproto2
from grpclib.client import Stream
from grpclib.exceptions import GRPCError, StreamTerminatedError

Request = TypeVar("Request", bound=betterproto2.Message)
Reply = TypeVar("Reply", bound=betterproto2.Message)


class TwoWays(Generic[Request, Reply]):
    """A stream with messages both ways; sending beside receiving is fine. Both raise CallFailed."""

    def __init__(
        self, stream: Stream[Request, Reply], typed_errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._stream = stream
        self._typed_errors = typed_errors

    async def send(self, request: Request) -> None:
        """Send a message."""
        with self._typed_errors():
            await self._stream.send_message(request)

    async def receive(self) -> Reply | None:
        """Return the next message, None at the end."""
        with self._typed_errors():
            try:
                answer = await self._stream.recv_message()
            except StreamTerminatedError:
                self._look_at_status()
                raise
            if answer is None:
                self._look_at_status()
            return answer

    def _look_at_status(self) -> None:
        """Raise the error that the server has ended the stream with, if it has sent one.

        It resets a stream that this side has not ended, and grpclib looks at the status of such a one only on its way
        out of the call.
        """
        self._stream._maybe_raise()  # noqa: SLF001 (its own look)


async def take_back(stream: Stream[Request, Reply]) -> None:
    """Leave a call as one that was cut off: else grpclib waits for its end, and finds fault with it."""
    cut_off = StreamTerminatedError("it is not needed any more")
    with suppress(GRPCError):  # which has been told
        await stream.__aexit__(StreamTerminatedError, cut_off, None)
