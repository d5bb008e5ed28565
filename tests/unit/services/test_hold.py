"""The time that a piece of work may hold the writer."""

from datetime import timedelta

from gofer.services.hold import Hold
from tests.fakes.clock import FakeClock


async def test_a_hold_is_over_after_its_time() -> None:
    clock = FakeClock()
    hold = Hold(clock, timedelta(milliseconds=5))

    before = hold.is_over()
    await clock.advance(timedelta(milliseconds=5))

    assert (False, True) == (before, hold.is_over())
