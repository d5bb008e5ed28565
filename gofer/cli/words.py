"""Times, durations and states as people say them."""

from datetime import UTC, datetime, timedelta
from typing import Final

_STEPS: Final = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=7), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
)
NOTHING: Final = "-"
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")


def time_of(milliseconds: int) -> datetime | None:
    """Return the time that Unix milliseconds stand for, None for 0, which is "not set"."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def moment(milliseconds: int, *, now: datetime, detail: bool) -> str:
    """Say when something was: `5 minutes ago`, with `detail` the exact local time before it, `-` for never."""
    at = time_of(milliseconds)
    if at is None:
        return NOTHING
    words = relative(at - now)
    return f"{at.astimezone().isoformat(timespec='milliseconds')} ({words})" if detail else words


def relative(ahead: timedelta) -> str:
    """Say how far off a time is: `now`, `5 minutes ago`, `in 2 days`."""
    size = abs(ahead)
    for step, name in _STEPS:
        count = size // step
        if count:
            words = f"{count} {name}{'' if count == 1 else 's'}"
            return f"in {words}" if ahead > timedelta() else f"{words} ago"
    return "now"


def span(start: int, end: int, *, now: datetime) -> str:
    """Say how long something took, or takes since; both in Unix milliseconds, `-` if it has not begun."""
    began = time_of(start)
    if began is None:
        return NOTHING
    return duration((time_of(end) or now) - began)


def duration(length: timedelta) -> str:
    """Say a duration in at most two units: `0.35s`, `12.1s`, `3m 5s`, `2h 7m`, `3d 4h`."""
    seconds = max(length.total_seconds(), 0)
    if seconds < 10:  # noqa: PLR2004 (below, hundredths are worth their room)
        return f"{seconds:.2f}s"
    if seconds < 59.95:  # noqa: PLR2004 (what would round up to a minute)
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s"


def title(name: str) -> str:
    """Write an enum's name as words, such as `User Cancelled`; anything unknown is `Unknown`."""
    return "Unknown" if "UNKNOWN" in name.upper() else name.replace("_", " ").title()


def counted(count: int, noun: str) -> str:
    """Write a number of things: `1 task`, `3 tasks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(count_bytes: int) -> str:
    """Say how many bytes something has, as near as people want it: `17 bytes`, `1.5 MiB`."""
    if count_bytes < 1024:  # noqa: PLR2004 (the step itself)
        return counted(count_bytes, "byte")
    amount, unit = count_bytes / 1024, 0
    while amount >= 1023.95 and unit < len(_UNITS) - 1:  # noqa: PLR2004 (what would round up to the next unit)
        amount, unit = amount / 1024, unit + 1
    return f"{amount:,.1f} {_UNITS[unit]}"
