"""How long a client waits, and how often it tries again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gofer_sdk.errors import CallFailed

OnRetry = Callable[[CallFailed, timedelta], None]
"""Told of each failure that is not the last word, and of the wait before the next try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client waits, and how often it tries again.

    Only calls that change nothing the second time are tried again, such as those that look, and the start of a run,
    which its request id protects; and only where the server was Unavailable.

    Attributes:
        call_timeout: for one call, all its tries together; also for the connection of a stream.
        attempts: of one call.
        first_delay: before the second try; it doubles with each further one.
        longest_delay: it doubles no further than this.
        reconnect_for: how long a stream that was open is tried to be opened again.

    """

    call_timeout: timedelta = timedelta(seconds=30)
    attempts: int = 4
    first_delay: timedelta = timedelta(milliseconds=100)
    longest_delay: timedelta = timedelta(seconds=2)
    reconnect_for: timedelta = timedelta(seconds=30)

    def delay_after(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row, counted from 1."""
        doublings = min(failures - 1, 32)  # beyond that any delay is the longest
        return min(self.first_delay * (1 << doublings), self.longest_delay)
