import asyncio
from datetime import UTC, timedelta

import pytest

from gofer.clock import Clock, SystemClock
from tests.fakes.clock import FakeClock

SECOND = timedelta(seconds=1)


def test_the_system_clock_tells_aware_utc_and_never_goes_back() -> None:
    clock: Clock = SystemClock()

    assert UTC is clock.now().tzinfo
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("duration", [timedelta(), -SECOND, timedelta(milliseconds=1)])
async def test_the_system_clock_sleeps_at_least_as_long_as_asked(duration: timedelta) -> None:
    clock = SystemClock()
    began = clock.monotonic()

    await clock.sleep(duration)

    assert clock.monotonic() - began >= duration - timedelta(milliseconds=0.1)


async def test_the_fake_clock_wakes_sleepers_in_order_and_lets_them_sleep_again() -> None:
    clock = FakeClock()
    began = clock.now()
    woken: list[tuple[str, timedelta]] = []

    async def tick() -> None:
        while True:
            await clock.sleep(2 * SECOND)
            woken.append(("tick", clock.now() - began))

    async def once() -> None:
        await clock.sleep(3 * SECOND)
        woken.append(("once", clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(tick(), name="tick")
        group.create_task(once(), name="once")
        await clock.sleepers(2)
        await clock.advance(5 * SECOND)
        ticker.cancel()

    assert woken == [("tick", 2 * SECOND), ("once", 3 * SECOND), ("tick", 4 * SECOND)]
    assert began + 5 * SECOND == clock.now()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = FakeClock()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.sleep(SECOND), name="sleeper")
        await clock.sleepers(1)
        task.cancel()
    await clock.advance(2 * SECOND)

    assert task.cancelled()
    assert clock.monotonic() == 2 * SECOND
