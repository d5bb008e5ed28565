"""Durations as Go writes them, such as `1h30m`, `300ms` or `-1.5h`.

The grammar is Go's `time.ParseDuration`: an optional sign, then numbers (decimals too), each with a unit out of
`ns`, `us` (also `µs`), `ms`, `s`, `m` and `h`; a plain `0` needs none. The range is Go's too, some 292 years.
"""

import re
from datetime import timedelta
from typing import Final

from gofer_sdk.rules.text import quoted

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_MAX_NANOSECONDS: Final = 2**63 - 1
_MAX_CHARACTERS: Final = 200
_MICROSECONDS_PER_MS: Final = 1_000
_MICROSECONDS_PER_S: Final = 1_000_000
_PART: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_EXAMPLE: Final = "write for example 1h30m, 45s or 300ms"


def parse_duration(text: str) -> timedelta:
    """Read a Go duration; a fraction of a microsecond is rounded away from zero, so that nothing short becomes 0.

    Raises:
        ValueError: the text is no Go duration or is out of its range; the message says which and how to write one.

    """
    unsigned = text[1:] if text[:1] in {"+", "-"} else text
    if not unsigned or len(text) > _MAX_CHARACTERS:
        message = f"{quoted(text)} is not a duration: {_EXAMPLE}"
        raise ValueError(message)
    total = 0 if unsigned == "0" else sum(_nanoseconds(part, text) for part in _PART.finditer(unsigned) if part[0])
    negative = text.startswith("-")
    if total > _MAX_NANOSECONDS + negative:
        message = f"the duration {quoted(text)} is out of range: at most some 2562047h"
        raise ValueError(message)
    microseconds = -(-total // 1_000)
    return timedelta(microseconds=-microseconds if negative else microseconds)


def _nanoseconds(part: re.Match[str], text: str) -> int:
    whole, fraction, unit = part[1], part[2] or "", part[3]
    if not whole and not fraction:
        message = f"{quoted(text)} is not a duration, a number is missing: {_EXAMPLE}"
        raise ValueError(message)
    if unit not in _NANOSECONDS:
        fault = f"the unit {quoted(unit)} is not known" if unit else "a unit is missing"
        message = f"{quoted(text)} is not a duration, {fault}: the units are ns, us, ms, s, m and h"
        raise ValueError(message)
    scale = _NANOSECONDS[unit]
    denominator: int = 10 ** len(fraction)
    return int(whole or 0) * scale + int(fraction or 0) * scale // denominator


def format_duration(duration: timedelta) -> str:
    """Write a duration exactly as Go does: `1h30m0s`, `1.5s`, `300ms`, `20µs`, `0s`."""
    microseconds = duration // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    return sign + _format_microseconds(abs(microseconds))


def _format_microseconds(microseconds: int) -> str:
    if microseconds == 0:
        return "0s"
    if microseconds < _MICROSECONDS_PER_MS:
        return f"{microseconds}\u00b5s"
    if microseconds < _MICROSECONDS_PER_S:
        return f"{_decimal(microseconds, _MICROSECONDS_PER_MS)}ms"
    minutes, rest = divmod(microseconds, 60 * _MICROSECONDS_PER_S)
    seconds = f"{_decimal(rest, _MICROSECONDS_PER_S)}s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _decimal(value: int, scale: int) -> str:
    whole, rest = divmod(value, scale)
    digits = str(rest + scale)[1:].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
