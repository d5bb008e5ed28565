"""Events on the wire."""

import json
from typing import Final

from gofer.api.convert.common import ms
from gofer.core.events import Envelope
from gofer.services.events import EventQuery
from gofer_sdk._proto import proto

_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event_to_proto(envelope: Envelope) -> proto.Event:
    """Give an event; its details are a JSON object in the order of their fields."""
    return proto.Event(
        id=envelope.id,
        type=envelope.event.kind,
        details=_to_json(envelope.event.details()),
        emitted=ms(envelope.at),
    )


def event_query_of(request: proto.ListEventsRequest) -> EventQuery:
    """Read which events are wanted; nothing is checked yet."""
    return EventQuery(
        after_id=request.after_id,
        reverse=request.reverse,
        follow=request.follow,
        kinds=frozenset(request.kinds),
        namespace=request.namespace_id,
        pipeline=request.pipeline_id,
        run=request.run_id,
        limit=request.limit,
    )
