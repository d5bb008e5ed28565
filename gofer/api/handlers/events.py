"""Events."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from gofer.api.caller import current_caller
from gofer.api.convert.events import event_query_of, event_to_proto
from gofer.services.events import Events
from gofer_sdk._proto import proto


class EventHandlers(proto.GoferBase):
    """The RPCs about events."""

    def __init__(self, *, events: Events) -> None:
        self._events = events

    async def get_event(self, message: proto.GetEventRequest) -> proto.GetEventResponse:
        """Serve GetEvent."""
        return proto.GetEventResponse(event=event_to_proto(await self._events.get(current_caller(), message.id)))

    async def list_events(self, message: proto.ListEventsRequest) -> AsyncIterator[proto.ListEventsResponse]:
        """Serve ListEvents."""
        async with aclosing(self._events.stream(current_caller(), event_query_of(message))) as stream:
            async for envelope in stream:
                yield proto.ListEventsResponse(event=event_to_proto(envelope))
