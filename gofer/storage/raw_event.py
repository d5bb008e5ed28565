"""An event that a later or earlier version of Gofer stored, kept readable."""

from collections.abc import Mapping
from dataclasses import dataclass

from gofer.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent(Event):
    """An event whose kind, or whose fields under that kind, this version does not know."""

    kind: str  # type: ignore[misc]  # the one event whose kind is known at run time only
    recorded: Mapping[str, str | int]

    def details(self) -> dict[str, str | int]:
        """Give the details as they were recorded."""
        return dict(self.recorded)
