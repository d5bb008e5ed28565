"""How the rules quote what somebody wrote: short, on one line, safe on a terminal."""

from collections.abc import Sequence
from typing import Final

_QUOTED_LIMIT: Final = 60


def quoted(value: str) -> str:
    """Return `value` in quotes, control characters escaped, cut after 60 characters."""
    if len(value) <= _QUOTED_LIMIT:
        return escaped(value)
    return f"{escaped(value[:_QUOTED_LIMIT])}... ({len(value):,} characters)"


def escaped(value: str) -> str:
    """Return `value` in single quotes with everything unprintable, lone surrogates too, written as an escape."""
    return repr(value)


def fault_of_text(value: str, *, what: str, max_bytes: int) -> str | None:
    """Say what keeps `value` from being sent and stored as text: a NUL, a lone surrogate, its size; None if nothing."""
    if "\0" in value:
        return f"{what} holds a NUL character; remove it"
    try:
        size_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        return f"{what} holds {escaped(value[error.start])}, which is no character of UTF-8; remove it"
    if size_bytes > max_bytes:
        return f"{what} has {size_bytes:,} bytes and at most {max_bytes:,} are allowed; shorten it"
    return None


def list_faults(faults: Sequence[str], *, max_characters: int = 4000) -> str:
    """Join faults to one text for people, `; ` between them, and count those that do not fit.

    Status texts travel in HTTP/2 headers, which clients limit to some kilobytes; hence the default.
    """
    kept: list[str] = []
    room = max_characters
    for fault in faults:
        room -= len(fault) + 2
        if room < 0 and kept:
            return f"{'; '.join(kept)}; and {len(faults) - len(kept):,} more"
        kept.append(fault)
    return "; ".join(kept)
