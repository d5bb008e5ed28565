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


async def begin_again_for(patience: Patience, seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    async with patience:
        while asyncio.get_running_loop().time() < until:
            patience.begin()
            await asyncio.sleep(0)
        await asyncio.Event().wait()


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


async def test_a_wait_that_is_begun_again_in_time_goes_on_and_still_ends() -> None:
    began = asyncio.get_running_loop().time()

    with pytest.raises(TimeoutError):
        await begin_again_for(Patience(SHORT), 3 * LIMIT)

    assert asyncio.get_running_loop().time() >= began + 4 * LIMIT


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
