"""Time as a dependency, so that tests may pass another one."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits for it."""

    def now(self) -> datetime:
        """Give the wall time, aware and in UTC. It may jump. Safe to call from any thread."""
        ...

    def monotonic(self) -> timedelta:
        """Give the time since an arbitrary moment; it never goes back. Safe to call from any thread."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Wait for `duration`; zero or less only lets other tasks run. Cancelling it ends the wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the machine's wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        """Give the machine's monotonic time."""
        return timedelta(seconds=time.monotonic())

    async def sleep(self, duration: timedelta) -> None:
        """Wait on the event loop's timer."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))
