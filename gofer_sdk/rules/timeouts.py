"""Timeouts of tasks and runs, as Go durations: empty or 0 is none, and what is set has whole milliseconds."""

from datetime import timedelta
from typing import Final

from gofer_sdk.rules.durations import format_duration, parse_duration

MIN_TIMEOUT: Final = timedelta(milliseconds=1)
MAX_TIMEOUT: Final = timedelta(days=366)


def timeout_fault(text: str, *, what: str) -> str | None:
    """Say what is wrong with a timeout; None where nothing is."""
    if not text:
        return None
    try:
        timeout = parse_duration(text)
    except ValueError as error:
        return f"{what}: {error}"
    if timeout and not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        return (
            f"{what} of {format_duration(timeout)} is not allowed: use {format_duration(MIN_TIMEOUT)} to "
            f"{format_duration(MAX_TIMEOUT)}, or 0 for none"
        )
    return None


def timeout_of(text: str) -> timedelta | None:
    """Read a timeout that has no fault, up to whole milliseconds; None for none.

    Raises:
        ValueError: it is no duration.

    """
    timeout = parse_duration(text) if text else timedelta()
    return -(-timeout // MIN_TIMEOUT) * MIN_TIMEOUT if timeout else None


def timeout_text(timeout: timedelta | None) -> str:
    """Write a timeout; empty for none."""
    return format_duration(timeout) if timeout else ""
