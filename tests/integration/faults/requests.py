"""A sensible request for every call of a server, made from the types alone, so that new calls have theirs at once."""

import dataclasses
from collections.abc import Iterator
from typing import Final

import betterproto2
from grpclib.const import Handler

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode

HELD: Final = "held"
"""A pipeline with a run 1, whose task of the same name runs and has a long log."""
ENDING: Final = ("Cancel", "Delete", "Disable", "Uninstall")
"""What the calls begin with that would end what the others ask about; they name what is not there."""
_TEXTS: Final = {"namespace_id": "default", "pipeline_id": HELD, "request_id": "the same one", "key": "a_key"}
_NUMBERS: Final = {"run_id": 1, "version": 1, "id": 1}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call, and the bytes of a message for it."""

    path: str
    body: bytes
    is_stream: bool


def requests_of(mapping: dict[str, Handler]) -> Iterator[Request]:
    """Give a request for each call."""
    for path, handler in mapping.items():
        message = _filled(handler.request_type, path.rpartition("/")[2])
        yield Request(path=path, body=encode(message), is_stream=handler.cardinality.server_streaming)


def _filled(kind: type[betterproto2.Message], call: str) -> betterproto2.Message:
    message = kind()
    for field in dataclasses.fields(message):  # type: ignore[arg-type]  # the library's decorator makes them
        value = _value(field.name, getattr(message, field.name), call)
        if value is not None:
            setattr(message, field.name, value)
    return message


def _value(name: str, empty: object, call: str) -> object:
    """Give a value for a field, of the kind of its empty one; None leaves it empty."""
    ends_something = call.startswith(ENDING)
    match empty:
        case bool():
            return name == "follow"
        case int():
            return _NUMBERS.get(name)
        case str() if name == "id":
            return "absent" if ends_something else "default" if "Namespace" in call else HELD
        case str():
            return "absent" if ends_something and name == "pipeline_id" else _TEXTS.get(name)
        case None if name == "initiator":
            return proto.Initiator(type=proto.InitiatorType.BOT, name="rude")
        case _:
            return None
