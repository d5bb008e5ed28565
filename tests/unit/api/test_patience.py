import asyncio
from datetime import timedelta

import pytest

from gofer.api.patience import Patience

SHORT = timedelta(seconds=0.02)
LONG = timedelta(hours=1)
LIMIT = SHORT.total_seconds()


async def pause(seconds: float) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


async def wait_for_ever(patience: Patience) -> None:
    async with patience:
        patience.begin()
        await asyncio.Event().wait()


class HandClock:
    """A time of the loop that goes on only when it is told to: no busy machine makes anybody late."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time()

    def __call__(self) -> float:
        return self._now

    async def go_on(self, seconds: float) -> None:
        self._now += seconds
        await asyncio.sleep(0)


async def begin_again(patience: Patience, times: int, clock: HandClock) -> None:
    """Begin again each time when the limit is nearly over, and at last no more."""
    async with patience:
        for _ in range(times):
            patience.begin()
            await clock.go_on(0.9 * LIMIT)
        began = clock()
        while clock() < began + 3 * LIMIT:
            await clock.go_on(0.05 * LIMIT)
    raise AssertionError("nobody was ended")


async def rest_and_begin_again(patience: Patience) -> None:
    async with patience:
        patience.begin()
        patience.rest()
        await pause(3 * LIMIT)
        patience.begin()
        await asyncio.Event().wait()


async def fail(patience: Patience) -> None:
    async with patience:
        patience.begin()
        raise TimeoutError("mine")


async def test_who_waits_too_long_is_ended() -> None:
    patience = Patience(SHORT)

    with pytest.raises(TimeoutError):
        await wait_for_ever(patience)

    assert patience.has_ended


async def test_a_wait_that_is_begun_again_in_time_goes_on_and_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock)
    began = clock()

    with pytest.raises(TimeoutError):
        await begin_again(Patience(SHORT), 5, clock)

    assert began + 4.6 * LIMIT <= clock() <= began + 5 * LIMIT


async def test_nobody_is_ended_while_the_wait_rests() -> None:
    patience = Patience(SHORT)

    async with patience:
        patience.begin()
        patience.rest()
        await pause(3 * LIMIT)

    assert not patience.has_ended


async def test_a_wait_that_has_rested_can_be_begun_again() -> None:
    patience = Patience(SHORT)

    with pytest.raises(TimeoutError):
        await rest_and_begin_again(patience)

    assert patience.has_ended


async def test_another_timeout_is_not_its_own() -> None:
    patience = Patience(LONG)

    with pytest.raises(TimeoutError, match="mine"):
        await fail(patience)

    assert not patience.has_ended
