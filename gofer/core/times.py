"""Times as the database and the wire write them: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

TICK: Final = timedelta(milliseconds=10)
"""By how much an engine's times may be behind ours and be right: a file's time is that of the kernel's last tick."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def to_ms(at: datetime) -> int:
    """Give an aware time as whole milliseconds, rounded down."""
    return (at - _EPOCH) // _MILLISECOND


def from_ms(value: int) -> datetime:
    """Give the time of whole milliseconds, aware and in UTC."""
    return _EPOCH + timedelta(milliseconds=value)


def maybe_to_ms(at: datetime | None) -> int | None:
    """As `to_ms`, where there may be no time."""
    return None if at is None else to_ms(at)


def maybe_from_ms(value: int | None) -> datetime | None:
    """As `from_ms`, where there may be no time."""
    return None if value is None else from_ms(value)
