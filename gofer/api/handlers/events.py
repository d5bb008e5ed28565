"""Events."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from gofer.api.caller import current_caller
from gofer.api.convert.events import event_query_of, event_to_proto
from gofer.api.exchange import encoded_replies, prefixed
from gofer.core.events import Envelope
from gofer.services.events import Events
from gofer_sdk._proto import proto
from gofer_sdk.codec import encode


class EventHandlers(proto.GoferBase):
    """The RPCs about events."""

    def __init__(self, *, events: Events) -> None:
        self._events = events
        self._latest: tuple[Envelope, bytes] | None = None  # what many followers are sent one after the other

    async def get_event(self, message: proto.GetEventRequest) -> proto.GetEventResponse:
        """Serve GetEvent."""
        return proto.GetEventResponse(event=event_to_proto(await self._events.get(current_caller(), message.id)))

    async def list_events(self, message: proto.ListEventsRequest) -> AsyncIterator[proto.ListEventsResponse]:
        """Serve ListEvents."""
        async with aclosing(self._events.stream(current_caller(), event_query_of(message))) as stream:
            async for envelope in stream:
                yield encoded_replies(proto.ListEventsResponse, self._encoded(envelope))

    def _encoded(self, envelope: Envelope) -> bytes:
        if self._latest is None or self._latest[0] is not envelope:
            self._latest = envelope, prefixed(encode(proto.ListEventsResponse(event=event_to_proto(envelope))))
        return self._latest[1]
