"""The in-process bus: committed events, in commit order, to whoever subscribed.

An event on the bus is a hint to look; the database is the truth. Publishing is synchronous and can neither fail nor
block: every subscription has its own bounded queue; one whose reader is too slow is emptied and told so by `Lagged`.
A reader then reads the database again, as it does at its start. The order for every reader: subscribe, read the current
state, say ready, consume; an event whose id is at or below that of the state read is old news.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Protocol, Self, TypeVar

DEFAULT_LIMIT: Final = 1024


class Enveloped(Protocol):
    """What travels on a bus: an event, and its id, which grows in commit order."""

    @property
    def id(self) -> int:
        """Tell the event's place in the journal."""
        ...

    @property
    def event(self) -> object:
        """Give the event, whose class decides who hears of it."""
        ...


E = TypeVar("E", bound=Enveloped)


class Lagged(Exception):
    """Events were dropped because the reader was too slow; the subscription goes on with later ones."""


class Subscription(Generic[E]):
    """An async iterator over the events of some classes, for one reader; made by `Bus.subscribe`.

    Iterating raises `Lagged` once for each overflow, and may go on afterwards. It ends when the subscription or the bus
    is closed and what was queued has been read. Cancelling the reader loses no event.
    """

    def __init__(self, types: tuple[type, ...], limit: int) -> None:
        self.types: Final = types
        self._limit = limit
        self._queue: deque[E] = deque()
        self._wake = asyncio.Event()
        self._lagged = False
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        while True:
            if self._lagged:
                self._lagged = False
                raise Lagged
            if self._queue:
                return self._queue.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def __len__(self) -> int:
        """Count the events that wait to be read."""
        return len(self._queue)

    def close(self) -> None:
        """Take no more events; the reader ends after what is queued. Safe to call more than once."""
        self._closed = True
        self._wake.set()

    def offer(self, envelope: E) -> None:
        """Queue an event, or drop all that is queued when there is no room. For the bus only."""
        if self._closed:
            return
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self._lagged = True
        else:
            self._queue.append(envelope)
        self._wake.set()


class Bus(Generic[E]):
    """Carries envelopes of type `E` from the one writer to all subscriptions. Belongs to one event loop."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[E]] = []
        self._routes: dict[type, tuple[Subscription[E], ...]] = {}  # who wants a class; rebuilt when they change
        self._closed = False

    @contextmanager
    def subscribe(self, *types: type, limit: int = DEFAULT_LIMIT) -> Iterator[Subscription[E]]:
        """Hear of every event published from now on whose class is, or derives from, one of `types`.

        At most `limit` events wait for the reader. On a closed bus the subscription has ended already.
        """
        subscription: Subscription[E] = Subscription(types, limit)
        self._subscriptions.append(subscription)
        self._routes.clear()
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            subscription.close()
            self._subscriptions.remove(subscription)
            self._routes.clear()

    def publish(self, envelopes: Iterable[E]) -> None:
        """Give the events of one or more commits to their subscriptions, in order. Never fails, never blocks."""
        for envelope in envelopes:
            for subscription in self._route(type(envelope.event)):
                subscription.offer(envelope)

    def close(self) -> None:
        """End all subscriptions, those to come too. What is queued in them can still be read."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def _route(self, event_type: type) -> tuple[Subscription[E], ...]:
        route = self._routes.get(event_type)
        if route is None:
            route = tuple(each for each in self._subscriptions if issubclass(event_type, each.types))
            self._routes[event_type] = route
        return route
