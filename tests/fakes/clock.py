"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Satisfies `gofer.clock.Clock`; time passes only in `advance`, sleepers wake in the order of their due times."""

    def __init__(self, *, now: datetime = BEGINNING) -> None:
        self._began = now
        self._now = now
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> timedelta:
        return self._now - self._began

    async def sleep(self, duration: timedelta) -> None:
        if duration <= timedelta():
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + duration, next(self._numbers), waiter))
        self._changed.set()
        await waiter

    async def advance(self, duration: timedelta) -> None:
        """Let `duration` pass, stopping at each due time so that who wakes there may sleep again."""
        target = self._now + duration
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, waiter = heapq.heappop(self._sleepers)
            if waiter.done():  # its sleeper was cancelled
                continue
            self._now = due
            waiter.set_result(None)
            await _let_others_run()
        self._now = target

    async def sleepers(self, count: int) -> None:
        """Wait until at least `count` tasks sleep on this clock."""
        while sum(not waiter.done() for _, _, waiter in self._sleepers) < count:
            self._changed.clear()
            await self._changed.wait()


async def _let_others_run() -> None:
    # Enough turns for a woken task to pass through a few awaits and sleep again; work in threads is waited for by
    # its outcome, never by this.
    for _ in range(10):
        await asyncio.sleep(0)
