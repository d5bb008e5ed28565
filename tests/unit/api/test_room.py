import asyncio
from datetime import timedelta

import pytest

from gofer.api.room import SMALL_BYTES, RequestRoom
from gofer.core.errors import LimitReached

LIMIT = 1_000_000
SOON = timedelta(milliseconds=20)


@pytest.fixture
def room() -> RequestRoom:
    return RequestRoom(limit_bytes=LIMIT, patience=SOON)


async def test_small_requests_need_no_room(room: RequestRoom) -> None:
    await room.take(LIMIT)

    assert await room.take(SMALL_BYTES) == 0


async def test_who_finds_no_room_in_time_is_refused_and_holds_nobody_up(room: RequestRoom) -> None:
    held = await room.take(LIMIT - SMALL_BYTES)

    with pytest.raises(LimitReached, match="try again in a moment"):
        await room.take(LIMIT)
    room.give_back(held)

    assert await room.take(LIMIT) == LIMIT


async def test_room_is_given_in_the_order_of_asking() -> None:
    room = RequestRoom(limit_bytes=LIMIT)
    held = await room.take(LIMIT)
    order: list[int] = []

    async def take(size_bytes: int) -> None:
        await room.take(size_bytes)
        order.append(size_bytes)
        room.give_back(size_bytes)

    async with asyncio.TaskGroup() as group:
        for size_bytes in (900_000, 100_000, 800_000):
            group.create_task(take(size_bytes))
            await asyncio.sleep(0)
        room.give_back(held)

    assert order == [900_000, 100_000, 800_000]
    assert await room.take(LIMIT) == LIMIT


async def test_who_leaves_while_waiting_gives_the_place_to_the_next() -> None:
    room = RequestRoom(limit_bytes=LIMIT)
    held = await room.take(300_000)
    first = asyncio.create_task(room.take(LIMIT))
    second = asyncio.create_task(room.take(500_000))
    await asyncio.sleep(0)

    first.cancel()

    assert await second == 500_000
    room.give_back(held + 500_000)
    assert await room.take(LIMIT) == LIMIT


async def test_who_leaves_in_the_moment_of_the_turn_gives_it_back() -> None:
    room = RequestRoom(limit_bytes=LIMIT)
    held = await room.take(LIMIT)
    waiting = asyncio.create_task(room.take(LIMIT))
    await asyncio.sleep(0)

    room.give_back(held)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert await room.take(LIMIT) == LIMIT
