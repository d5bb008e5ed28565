"""Tables and lists of fields as lines of text, as wide as a terminal is."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gofer.cli.neutral import plain

_GAP: Final = "  "
_MIN_COLUMN: Final = 8
_NEVER_LEFT_OUT: Final = 3
"""So many columns are shown on any terminal."""
_CUT: Final = "…"


class Style(Enum):
    """What a text means, as a way to write it.

    The colours are of the fixed palette of 256, halfway between black and white: the first sixteen are what a terminal
    makes of them, and there are many whose green or cyan can't be read on white.
    """

    GOOD = "38;5;28"
    BAD = "38;5;196"
    WARN = "38;5;164"
    BUSY = "38;5;31"
    DIM = "38;5;243"
    STRONG = "1"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table with its meaning."""

    text: str
    style: Style | None = None


def painted(text: str, style: Style | None, *, color: bool) -> str:
    """Return the text in the colour of its meaning."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if color and style and text else text


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_width_of_character(character) for character in text)


def cut(text: str, width: int) -> str:
    """Return the text with its end left out where it is wider than `width`."""
    if width_of(text) <= width:
        return text
    kept = ""
    room = width - 1
    for character in text:
        room -= _width_of_character(character)
        if room < 0:
            break
        kept += character
    return kept + _CUT


def render_table(headers: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, width: int, color: bool) -> list[str]:
    """Return the lines of a table: headers in bold, columns as wide as they need, the last ones cut to fit.

    Where not even the cut of the last column is enough it is left out, so that the others need not be cut.
    """
    cells = [[_cell_of(value) for value in row] for row in rows]
    widths = [
        max(width_of(header), *(width_of(row[column].text) for row in cells)) if cells else width_of(header)
        for column, header in enumerate(headers)
    ]
    if _excess(widths, width) > max(widths[-1] - _least(headers[-1]), 0) and len(headers) > _NEVER_LEFT_OUT:
        return render_table(headers[:-1], [row[:-1] for row in rows], width=width, color=color)
    _narrow(widths, headers, width)
    header_row = [Cell(plain(header), Style.STRONG) for header in headers]
    return [_line(row, widths, color=color) for row in [header_row, *cells]]


def render_fields(rows: Sequence[tuple[str, Cell | str]], *, width: int, color: bool) -> list[str]:
    """Return names and values, the values below each other, and going on in further lines where one is too narrow."""
    widest = max((width_of(name) for name, _ in rows), default=0)
    room = max(width - widest - len(_GAP), _MIN_COLUMN)
    lines: list[str] = []
    for name, value in rows:
        cell = _cell_of(value)
        for number, part in enumerate(wrapped(cell.text, room)):
            heading = Cell(plain(name) if number == 0 else "", Style.DIM)
            lines.append(_line([heading, Cell(part, cell.style)], [widest, room], color=color))
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width`, broken between words where that is possible."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(joined) <= width:
            lines[-1] = joined
            continue
        rest = word
        while width_of(rest) > width:
            part = cut(rest, width + 1).removesuffix(_CUT)[:width]
            lines.append(part)
            rest = rest[len(part) :]
        lines.append(rest)
    return [line for line in lines if line] or [""]


def _narrow(widths: list[int], headers: Sequence[str], width: int) -> None:
    """Take from the last columns what does not fit, but never more than leaves a column readable."""
    excess = _excess(widths, width)
    for column in reversed(range(len(widths))):
        taken = max(min(excess, widths[column] - _least(headers[column])), 0)
        widths[column] -= taken
        excess -= taken


def _excess(widths: Sequence[int], width: int) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1) - width


def _least(header: str) -> int:
    return max(width_of(header), _MIN_COLUMN)


def _line(row: Sequence[Cell], widths: Sequence[int], *, color: bool) -> str:
    parts: list[str] = []
    for cell, width in zip(row, widths, strict=True):
        text = cut(cell.text, width)
        padding = " " * (width - width_of(text))
        parts.append(painted(text, cell.style, color=color) + padding)
    return _GAP.join(parts).rstrip()


def _cell_of(value: Cell | str) -> Cell:
    return Cell(plain(value.text), value.style) if isinstance(value, Cell) else Cell(plain(value))


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
