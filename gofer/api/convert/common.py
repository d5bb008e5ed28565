"""What several nouns share on the wire."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

from gofer.core.run import Initiator, InitiatorType, Variable, VariableSource
from gofer.core.times import to_ms
from gofer.storage.page import Page
from gofer_sdk._proto import proto

NO_EXIT_CODE: Final = 999
"""What 0.6 clients see where there is no exit code."""

INITIATOR_TYPES: Final[Mapping[InitiatorType, proto.InitiatorType]] = {
    InitiatorType.UNKNOWN: proto.InitiatorType.UNKNOWN,
    InitiatorType.BOT: proto.InitiatorType.BOT,
    InitiatorType.HUMAN: proto.InitiatorType.HUMAN,
    InitiatorType.EXTENSION: proto.InitiatorType.EXTENSION,
}
_INITIATOR_TYPES_BACK: Final = {int(wire): ours for ours, wire in INITIATOR_TYPES.items()}


class Paged(Protocol):
    """A request for a part of a list."""

    offset: int
    limit: int
    cursor: str


def page_of(request: Paged, cap: int) -> Page:
    """Read which page is wanted. Raises `InvalidInput` for negative numbers."""
    return Page(limit=request.limit, offset=request.offset, cursor=request.cursor, cap=cap)


def ms(at: datetime | None) -> int:
    """Give a time in milliseconds, 0 where there is none."""
    return 0 if at is None else to_ms(at)


def initiator_to_proto(initiator: Initiator) -> proto.Initiator:
    """Give who asked for a run."""
    return proto.Initiator(type=INITIATOR_TYPES[initiator.type], name=initiator.name, reason=initiator.reason)


def initiator_of(message: proto.Initiator | None) -> Initiator | None:
    """Read who asks for a run; a type that this version does not know becomes UNKNOWN."""
    if message is None:
        return None
    found = _INITIATOR_TYPES_BACK.get(int(message.type), InitiatorType.UNKNOWN)
    return Initiator(type=found, name=message.name, reason=message.reason)


def variables_to_proto(variables: Iterable[Variable]) -> list[proto.Variable]:
    """Give variables with their origin, in their order."""
    return [proto.Variable(key=each.key, value=each.value, source=each.source.value) for each in variables]


def given_to_proto(variables: Mapping[str, str], source: VariableSource) -> list[proto.Variable]:
    """Give variables that all come from one source, in their order."""
    return [proto.Variable(key=key, value=value, source=source.value) for key, value in variables.items()]
