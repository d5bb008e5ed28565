import asyncio
import random
from dataclasses import dataclass

import pytest

from gofer.bus import Bus, Lagged, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Special(Happened):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    id: int
    event: Happened | Other


def envelope(number: int, event_type: type[Happened] = Happened) -> Envelope:
    return Envelope(id=number, event=event_type(number=number))


def make_bus() -> Bus[Envelope]:
    return Bus()


async def rest(subscription: Subscription[Envelope]) -> list[int]:
    subscription.close()
    return [each.id async for each in subscription]


async def test_a_subscription_hears_its_classes_and_those_that_derive_from_them_in_order() -> None:
    bus = make_bus()
    with bus.subscribe(Happened) as general, bus.subscribe(Special, Other) as special:
        bus.publish([envelope(1), envelope(2, Special)])
        bus.publish([Envelope(id=3, event=Other()), envelope(4)])

        assert await rest(general) == [1, 2, 4]
        assert await rest(special) == [2, 3]


async def test_nothing_published_before_is_heard() -> None:
    bus = make_bus()
    bus.publish([envelope(1)])

    with bus.subscribe(Happened) as subscription:
        bus.publish([envelope(2)])
        assert await rest(subscription) == [2]


async def test_a_slow_reader_loses_its_queue_hears_of_it_once_and_goes_on() -> None:
    bus = make_bus()
    with bus.subscribe(Happened, limit=3) as slow, bus.subscribe(Happened) as fast:
        bus.publish(envelope(number) for number in range(5))

        with pytest.raises(Lagged):
            await anext(slow)
        bus.publish([envelope(5)])

        assert await rest(slow) == [4, 5]
        assert await rest(fast) == [0, 1, 2, 3, 4, 5]


async def test_lagged_comes_before_the_events_that_were_published_after_the_overflow() -> None:
    bus = make_bus()
    with bus.subscribe(Happened, limit=1) as slow:
        bus.publish([envelope(1), envelope(2), envelope(3)])

        with pytest.raises(Lagged):
            await anext(slow)
        assert (await anext(slow)).id == 3


async def test_closing_the_bus_ends_readers_after_what_is_queued_and_refuses_new_ones() -> None:
    bus = make_bus()
    with bus.subscribe(Happened) as subscription:
        bus.publish([envelope(1)])
        bus.close()
        bus.publish([envelope(2)])

        assert [each.id async for each in subscription] == [1]
    with bus.subscribe(Happened) as late:
        assert [each async for each in late] == []


async def test_a_waiting_reader_is_woken_by_events_and_by_close() -> None:
    bus = make_bus()
    got: list[int] = []

    async def read(subscription: Subscription[Envelope]) -> None:
        got.extend([each.id async for each in subscription])

    with bus.subscribe(Happened) as subscription:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(subscription), name="reader")
            await asyncio.sleep(0)
            bus.publish([envelope(1)])
            await asyncio.sleep(0)
            bus.close()

    assert got == [1]


async def test_a_reader_that_is_cancelled_again_and_again_misses_nothing() -> None:
    bus = make_bus()
    rng = random.Random(7)
    got: list[int] = []

    async def read_and_leave(subscription: Subscription[Envelope], number: int) -> None:
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(anext(subscription), name="reader")
            await asyncio.sleep(0)
            bus.publish([envelope(number)])
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            reader.cancel()
        if not reader.cancelled():
            got.append(reader.result().id)

    with bus.subscribe(Happened) as subscription:
        for number in range(300):
            await read_and_leave(subscription, number)
        got.extend(await rest(subscription))

    assert list(range(300)) == got


async def test_leaving_the_block_unsubscribes() -> None:
    bus = make_bus()
    with bus.subscribe(Happened) as subscription:
        pass

    bus.publish([envelope(1)])

    assert len(subscription) == 0
