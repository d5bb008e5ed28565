"""The wait in front of the server's slots for live containers."""

import asyncio

from gofer.core.admission import TaskSlots
from gofer.core.ids import TaskRunKey


class SlotGate:
    """Lets as many task runs through as the server has slots; the others wait in their order."""

    def __init__(self, limit: int) -> None:
        """Give out at most `limit` slots, or any number where it is 0."""
        self._slots = TaskSlots(limit)
        self._granted: dict[TaskRunKey, asyncio.Event] = {}

    async def acquire(self, key: TaskRunKey) -> None:
        """Wait for a slot; at once for a task run that holds one. Cancelling the wait gives up the place in line."""
        if self._slots.request(key):
            return
        granted = self._granted[key] = asyncio.Event()
        try:
            await granted.wait()
        except asyncio.CancelledError:
            self.release(key)
            raise
        finally:
            self._granted.pop(key, None)

    def take_over(self, key: TaskRunKey) -> None:
        """Count a container that may be there already, whatever the limit."""
        self._slots.take_over(key)

    def release(self, key: TaskRunKey) -> None:
        """Give up the slot or the place in line. Safe to repeat."""
        for next_one in self._slots.release(key):
            granted = self._granted.get(next_one)
            if granted is not None:
                granted.set()
