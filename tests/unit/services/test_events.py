import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager

import pytest

from gofer.bus import Bus, Subscription
from gofer.core.access import Caller
from gofer.core.errors import InvalidInput, NotFound, ShuttingDown
from gofer.core.events import Envelope, Event, NamespaceCreated, PipelineRegistered, RunAdmitted
from gofer.core.ids import NamespaceId, PipelineId, RunId
from gofer.services.events import EventQuery, Events
from gofer.sqlite import Database
from gofer.storage.unit import Unit

TEAM = NamespaceId("team")
MADE = NamespaceCreated(namespace_id=TEAM)


def registered(pipeline: str) -> PipelineRegistered:
    return PipelineRegistered(namespace_id=TEAM, pipeline_id=PipelineId(pipeline))


class CountingBus(Bus[Envelope]):
    """A bus that counts the subscriptions that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0
        self.opened = asyncio.Event()

    @contextmanager
    def subscribe(self, *types: type, limit: int = 10) -> Iterator[Subscription[Envelope]]:
        with super().subscribe(*types, limit=limit) as subscription:
            self.open += 1
            self.opened.set()
            try:
                yield subscription
            finally:
                self.open -= 1


@pytest.fixture
def events(database: Database[Unit], bus: Bus[Envelope]) -> Events:
    return Events(database=database, bus=bus)


async def record(database: Database[Unit], *happened: Event) -> None:
    def write(unit: Unit) -> None:
        for event in happened:
            unit.record(event)

    await database.write(write)


async def take(stream: AsyncIterator[Envelope], count: int) -> list[int]:
    return [(await anext(stream)).id for _ in range(count)]


async def all_ids(events: Events, caller: Caller, query: EventQuery) -> list[int]:
    async with aclosing(events.stream(caller, query)) as stream:
        return [envelope.id async for envelope in stream]


async def test_one_event_is_looked_up(events: Events, caller: Caller, database: Database[Unit]) -> None:
    await record(database, MADE)

    assert (await events.get(caller, 1)).event == MADE
    with pytest.raises(NotFound):
        await events.get(caller, 2)
    with pytest.raises(InvalidInput):
        await events.get(caller, 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (EventQuery(), [1, 2, 3, 4, 5]),
        (EventQuery(after_id=3), [4, 5]),
        (EventQuery(after_id=5), []),
        (EventQuery(reverse=True), [5, 4, 3, 2, 1]),
        (EventQuery(reverse=True, follow=True), [5, 4, 3, 2, 1]),
        (EventQuery(reverse=True, after_id=3), [5, 4]),
        (EventQuery(limit=2), [1, 2]),
        (EventQuery(reverse=True, limit=2), [5, 4]),
        (EventQuery(limit=9), [1, 2, 3, 4, 5]),
        (EventQuery(follow=True, limit=5), [1, 2, 3, 4, 5]),
        (EventQuery(kinds=frozenset({"RUN_ADMITTED"})), [4, 5]),
        (EventQuery(namespace="team"), [1, 2, 3, 4, 5]),
        (EventQuery(namespace="team", pipeline="one"), [2, 4, 5]),
        (EventQuery(namespace="team", pipeline="one", run=2), [5]),
        (EventQuery(namespace="nothing"), []),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 500])
async def test_what_is_stored_is_replayed(
    caller: Caller,
    database: Database[Unit],
    query: EventQuery,
    expected: list[int],
    page: int,
    bus: Bus[Envelope],
) -> None:
    events = Events(database=database, bus=bus, replay_page=page)
    admitted = [RunAdmitted(namespace_id=TEAM, pipeline_id=PipelineId("one"), run_id=RunId(run)) for run in (1, 2)]
    await record(database, MADE, registered("one"), registered("two"), *admitted)

    assert await all_ids(events, caller, query) == expected


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (EventQuery(after_id=-1), "after_id -1 is negative"),
        (EventQuery(limit=-1), "limit -1 is negative"),
        (EventQuery(run=-1), "run_id -1 is negative"),
        (EventQuery(kinds=frozenset({"RUN_STARTD"})), "'RUN_STARTD' is not known.*RUN_STARTED"),
        (EventQuery(pipeline="one"), "without namespace_id"),
        (EventQuery(namespace="team", run=1), "without pipeline_id"),
    ],
)
async def test_a_query_that_asks_for_nothing_sensible_is_refused(
    events: Events, caller: Caller, query: EventQuery, fault: str
) -> None:
    with pytest.raises(InvalidInput, match=fault):
        await all_ids(events, caller, query)


async def test_of_thousands_of_unknown_kinds_some_are_told(events: Events, caller: Caller) -> None:
    """All of them, each with all that are known, were put together while everybody else waited."""
    with pytest.raises(InvalidInput) as refused:
        await all_ids(events, caller, EventQuery(kinds=frozenset(map(str, range(16_000)))))

    assert 10 == len(refused.value.faults)


async def test_a_follower_gets_what_is_stored_then_what_happens(
    events: Events, caller: Caller, database: Database[Unit]
) -> None:
    await record(database, MADE, MADE)
    async with aclosing(events.stream(caller, EventQuery(after_id=1, follow=True))) as stream:
        assert await take(stream, 1) == [2]

        await record(database, MADE, MADE)

        assert await take(stream, 2) == [3, 4]


async def test_a_follower_of_some_events_hears_of_no_others(
    events: Events, caller: Caller, database: Database[Unit]
) -> None:
    query = EventQuery(follow=True, kinds=frozenset({"PIPELINE_REGISTERED"}), namespace="team", pipeline="one")
    await record(database, registered("one"))
    async with aclosing(events.stream(caller, query)) as stream:
        assert await take(stream, 1) == [1]

        await record(database, MADE, registered("two"), registered("one"))

        assert await take(stream, 1) == [4]


async def test_a_follower_that_lags_is_caught_up_without_loss_or_doubles(
    events: Events, caller: Caller, database: Database[Unit]
) -> None:
    await record(database, MADE)
    async with aclosing(events.stream(caller, EventQuery(follow=True))) as stream:
        assert await take(stream, 1) == [1]

        await record(database, *[MADE] * 3000)
        await record(database, MADE)

        assert await take(stream, 3001) == list(range(2, 3003))


async def test_no_event_is_lost_or_doubled_while_others_write(
    caller: Caller, database: Database[Unit], bus: Bus[Envelope]
) -> None:
    events = Events(database=database, bus=bus, replay_page=7)

    async def write() -> None:
        for _ in range(100):
            await record(database, MADE, MADE)

    async def follow() -> list[int]:
        async with aclosing(events.stream(caller, EventQuery(follow=True, limit=400))) as stream:
            return [envelope.id async for envelope in stream]

    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(write()) for _ in range(2)]
        followers: Sequence[asyncio.Task[list[int]]] = [group.create_task(follow()) for _ in range(5)]

    assert all(writer.done() for writer in writers)
    assert [task.result() for task in followers] == [list(range(1, 401))] * 5


async def test_the_end_of_the_server_ends_a_follower_in_words(
    events: Events, caller: Caller, database: Database[Unit], bus: Bus[Envelope]
) -> None:
    await record(database, MADE)
    async with aclosing(events.stream(caller, EventQuery(follow=True))) as stream:
        assert await take(stream, 1) == [1]

        bus.close()

        with pytest.raises(ShuttingDown):
            await anext(stream)


async def test_leaving_a_stream_ends_its_subscription(caller: Caller, database: Database[Unit]) -> None:
    bus = CountingBus()
    events = Events(database=database, bus=bus)
    await record(database, MADE)
    async with aclosing(events.stream(caller, EventQuery(follow=True))) as stream:
        await take(stream, 1)
        assert bus.open == 1

    assert bus.open == 0


async def test_a_follower_that_is_cancelled_while_it_waits_leaves_nothing_behind(
    caller: Caller, database: Database[Unit]
) -> None:
    bus = CountingBus()
    events = Events(database=database, bus=bus)
    follower = asyncio.create_task(all_ids(events, caller, EventQuery(follow=True)))
    await bus.opened.wait()

    follower.cancel()

    with pytest.raises(asyncio.CancelledError):
        await follower
    assert bus.open == 0
