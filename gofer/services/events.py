"""Events: look one up, replay what is stored, follow what happens."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.access import Caller
from gofer.core.errors import InvalidInput, ShuttingDown
from gofer.core.events import EVENT_CLASSES, Envelope
from gofer.core.ids import EventId, NamespaceId, PipelineId, RunId
from gofer.sqlite import Database
from gofer.storage.journal import EventFilter, no_event
from gofer.storage.unit import Unit

REPLAY_PAGE: Final = 500
_MOST_UNKNOWN: Final = 10  # kinds to name: a request has room for thousands, and each is told with all that there are


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events a caller wants, as it was sent. Empty and 0 ask nothing; `limit` ends the stream after so many.

    With `reverse` the newest comes first and nothing is followed.
    """

    after_id: int = 0
    reverse: bool = False
    follow: bool = False
    kinds: frozenset[str] = frozenset()
    namespace: str = ""
    pipeline: str = ""
    run: int = 0
    limit: int = 0


class Events:
    """The use cases of events."""

    def __init__(self, *, database: Database[Unit], bus: Bus[Envelope], replay_page: int = REPLAY_PAGE) -> None:
        """Take `replay_page` events from the journal with each read."""
        self._database = database
        self._bus = bus
        self._replay_page = replay_page

    async def get(self, caller: Caller, event: int) -> Envelope:
        """Give one event. Raises `NotFound`, also where it is about something that is closed to the caller."""
        if event <= 0:
            raise InvalidInput("the event's id is missing: events count from 1")
        found = await self._database.read(lambda unit: unit.journal.get(EventId(event)))
        if not caller.sees(found.event):
            raise no_event(EventId(event))
        return found

    async def stream(self, caller: Caller, query: EventQuery) -> AsyncGenerator[Envelope, None]:
        """Give what is stored, then, where it is followed, what happens; each event once, in the order of its id.

        A follower that is slower than the events is caught up from the journal. It ends by `ShuttingDown`, and by
        leaving; close the iterator then. What the caller may not see is left out. Raises `InvalidInput` and
        `PermissionDenied` before the first event.
        """
        wanted = _checked(query, caller)
        left = query.limit or -1
        found = self._followed(query, wanted) if query.follow and not query.reverse else self._stored(query, wanted)
        async with aclosing(found):
            async for envelope in found:
                if not caller.sees(envelope.event):
                    continue
                yield envelope
                left -= 1
                if left == 0:
                    break

    async def _stored(self, query: EventQuery, wanted: EventFilter) -> AsyncGenerator[Envelope, None]:
        after: int = query.after_id
        before: EventId | None = None
        while True:
            page = await self._page(after, before=before, reverse=query.reverse, wanted=wanted)
            for envelope in page:
                yield envelope
            if len(page) < self._replay_page:
                return
            if query.reverse:
                before = page[-1].id
            else:
                after = page[-1].id

    async def _followed(self, query: EventQuery, wanted: EventFilter) -> AsyncGenerator[Envelope, None]:
        types = tuple(found for kind, found in EVENT_CLASSES.items() if not wanted.kinds or kind in wanted.kinds)
        # Subscribed before the journal is read: what is committed in between comes by both ways, never by none.
        with self._bus.subscribe(*types) as subscription:
            read = partial(self._page, before=None, reverse=False, wanted=wanted)
            follower = _Follower(subscription, read=read, page=self._replay_page, after=query.after_id)
            while True:
                envelope = await follower.next()
                if wanted.admits(envelope.event):
                    yield envelope

    async def _page(self, after: int, *, before: EventId | None, reverse: bool, wanted: EventFilter) -> list[Envelope]:
        return await self._database.read(
            lambda unit: unit.journal.list(
                EventId(after), self._replay_page, before_id=before, reverse=reverse, wanted=wanted
            )
        )


class _Follower:
    """Reads the journal until it is caught up, then the bus until it lags, and so on; each event comes once."""

    def __init__(
        self,
        subscription: Subscription[Envelope],
        *,
        read: Callable[[int], Awaitable[list[Envelope]]],
        page: int,
        after: int,
    ) -> None:
        self._subscription = subscription
        self._read = read
        self._page = page
        self._stored: deque[Envelope] = deque()
        self._caught_up = False
        self._last = after  # everything up to this id was given, or was not wanted

    async def next(self) -> Envelope:
        """Give the next event. Raises `ShuttingDown` when there will be none."""
        while True:
            envelope = await self._next_stored() if self._stored or not self._caught_up else await self._next_live()
            if envelope is not None and envelope.id > self._last:
                self._last = envelope.id
                return envelope

    async def _next_stored(self) -> Envelope | None:
        if not self._stored:
            page = await self._read(self._last)
            self._stored.extend(page)
            self._caught_up = len(page) < self._page
        return self._stored.popleft() if self._stored else None

    async def _next_live(self) -> Envelope | None:
        try:
            return await anext(self._subscription)
        except Lagged:
            self._caught_up = False
            return None
        except StopAsyncIteration:
            raise ShuttingDown("the server is going away; go on after the last event that you have") from None


def _checked(query: EventQuery, caller: Caller) -> EventFilter:
    faults = [
        f"{name} {value} is negative: use 0 or more"
        for name, value in (("after_id", query.after_id), ("limit", query.limit), ("run_id", query.run))
        if value < 0
    ]
    faults += [
        f"the event kind {kind!r} is not known: the kinds are {', '.join(sorted(EVENT_CLASSES))}"
        for kind in sorted(query.kinds - EVENT_CLASSES.keys())[:_MOST_UNKNOWN]
    ]
    if query.pipeline and not query.namespace:
        faults.append("pipeline_id is given without namespace_id: name the pipeline's namespace too")
    if query.run and not query.pipeline:
        faults.append("run_id is given without pipeline_id: name the run's pipeline too")
    if faults:
        raise InvalidInput("; ".join(faults), faults=tuple(faults))
    if query.namespace:
        caller.require(NamespaceId(query.namespace))
    return EventFilter(
        kinds=query.kinds,
        namespace=NamespaceId(query.namespace) if query.namespace else caller.only_namespace,
        pipeline=PipelineId(query.pipeline) if query.pipeline else None,
        run=RunId(query.run) if query.run else None,
    )
