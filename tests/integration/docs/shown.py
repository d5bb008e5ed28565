"""Whether a command showed what its page says, apart from what differs each time."""

import re
from collections.abc import Iterable
from typing import Final

_MOMENT: Final = re.compile(r"\b(?:now|\d+ (?:second|minute)s? ago)\b")
_SPAN: Final = re.compile(r"\b(?:\d+m )?\d+(?:\.\d+)?s\b")
_SPACE: Final = re.compile(r"\s+")
_ANYTHING: Final = "..."
_NOTES: Final = ("! the process engine is in use", "! the memory engine is in use")
"""Begin what engines without containers say with each run; a page need not show it, readers with a Docker see none."""


def is_as_shown(shown: Iterable[str], real: str, *, any_order: bool) -> bool:
    """Compare line by line.

    A moment stands for any moment, a time for any time, and white space for any amount of it, as columns follow them.
    `...` stands for anything within a line, as a line for any number of lines.
    """
    expected = _stripped([_plain(line) for line in shown])
    actual = _stripped([_plain(line) for line in real.splitlines() if not line.startswith(_NOTES)])
    if any_order:
        expected, actual = sorted(expected), sorted(actual)
    pattern = "".join(_pattern(line) for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in actual)) is not None


def _plain(line: str) -> str:
    return _SPACE.sub(" ", _SPAN.sub("1s", _MOMENT.sub("now", line))).strip()


def _stripped(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def _pattern(line: str) -> str:
    if line == _ANYTHING:
        return r"(?:.*\n)*?"
    return r"[^\n]*".join(re.escape(part) for part in line.split(_ANYTHING)) + r"\n"
