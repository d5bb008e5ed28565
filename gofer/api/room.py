"""How much of clients' requests may be held in memory at one time, over all calls."""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Final

from gofer.core.errors import LimitReached

SMALL_BYTES: Final = 64 * 1024
"""What a request may have to need no room: their number is bounded by that of the connections."""
PATIENCE: Final = timedelta(seconds=10)
"""How long a large request waits for its turn; meanwhile its client is held back."""
MOST_WAITING: Final = 1000


class RequestRoom:
    """Room for large requests, given in the order of asking. Belongs to one event loop."""

    def __init__(self, *, limit_bytes: int, patience: timedelta = PATIENCE) -> None:
        """Hold at most `limit_bytes`, which must have room for the largest request; refuse who waits for `patience`."""
        self._free_bytes = limit_bytes
        self._patience = patience
        self._refused = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size_bytes: int) -> int:
        """Wait for room, and give how much to give back when the request is done with.

        Raises `LimitReached` where it does not come in time, or too many wait.
        """
        if size_bytes <= SMALL_BYTES:
            return 0
        if self._waiting or size_bytes > self._free_bytes:
            await self._turn(size_bytes)
        else:
            self._free_bytes -= size_bytes
        return size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Let others have it; those who wait come first."""
        self._free_bytes += size_bytes
        self._admit()

    def mark(self) -> int:
        """Give what `is_wanted` has to know of the moment."""
        return self._refused

    def is_wanted(self, since: int) -> bool:
        """Tell whether somebody waits for room, or has waited in vain since the mark."""
        return bool(self._waiting) or self._refused != since

    async def _turn(self, size_bytes: int) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise self._refusal()
        turn = asyncio.get_running_loop().create_future()
        place = (size_bytes, turn)
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came in the same moment
                self.give_back(size_bytes)
            else:
                self._waiting.remove(place)
                self._admit()
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free_bytes:
            size_bytes, turn = self._waiting.popleft()
            if turn.cancelled():
                self._waiting.appendleft((size_bytes, turn))
                return  # its owner is about to leave the queue, and calls again
            self._free_bytes -= size_bytes
            turn.set_result(None)

    def _refusal(self) -> LimitReached:
        self._refused += 1
        return LimitReached("the server reads as many large requests as it can hold: try again in a moment")
