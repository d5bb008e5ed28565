"""How long one piece of work may hold the writer of the database: others wait behind it."""

from datetime import timedelta
from typing import Final

from gofer.clock import Clock

HOLD: Final = timedelta(milliseconds=5)
"""How long a piece of work holds the writer, but for its last step and the commit."""


class Hold:
    """The time that a piece of work may hold the writer, from now on. Belongs to the writer's thread."""

    def __init__(self, clock: Clock, most: timedelta = HOLD) -> None:
        self._clock = clock
        self._end = clock.monotonic() + most

    def is_over(self) -> bool:
        """Tell whether the piece should end here."""
        return self._clock.monotonic() >= self._end
