"""Pages of lists: by offset and limit as 0.6 clients ask, or by a cursor that a change of the list can't shift."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Self, TypeVar

from gofer.core.errors import InvalidInput
from gofer.sqlite import Row

T = TypeVar("T")

DEFAULT_CAP: Final = 200
MOST_BYTES: Final = 3 * 1024 * 1024
"""Of a page."""
BYTES_OF_AN_ENTRY: Final = 24
"""What the wire adds to a variable: where it comes from, and lengths."""
_MOST_SKIPPED: Final = 1 << 62  # no list is so long; what is skipped and shown is added up
_BYTES_OF_ONE: Final = 256  # ids, times, states

Place = tuple[str | int, ...]
"""What orders a list: the values of one item that its place in the list depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is wanted.

    `limit` 0, or one over `cap`, means the cap; a page of large items is shorter. `cursor` is one that a list gave, and
    beats `offset`.
    """

    limit: int = 0
    offset: int = 0
    cursor: str = ""
    cap: int = DEFAULT_CAP

    def __post_init__(self) -> None:
        """Raise `InvalidInput` for negative numbers."""
        faults = [
            f"{name} {value} is negative: use 0 or more"
            for name, value in (("limit", self.limit), ("offset", self.offset))
            if value < 0
        ]
        if faults:
            raise InvalidInput("; ".join(faults), faults=tuple(faults))

    @property
    def size(self) -> int:
        """How many items the page has at most."""
        return self.limit if 0 < self.limit < self.cap else self.cap

    @property
    def skip(self) -> int:
        """How many items come before the page, counted from the cursor or from the beginning."""
        return 0 if self.cursor else min(self.offset, _MOST_SKIPPED)

    def capped(self, cap: int) -> Self:
        """Give the same page under another cap."""
        return replace(self, cap=cap)

    def after(self, kinds: tuple[type[str] | type[int], ...]) -> Place | None:
        """Open the cursor of a list that is ordered by values of these kinds; None where there is none.

        Raises `InvalidInput` for a text that is no cursor of such a list.
        """
        if not self.cursor:
            return None
        try:
            place = json.loads(base64.b64decode(self.cursor, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError):
            place = None
        if not isinstance(place, list) or tuple(type(value) for value in place) != kinds or not all(map(_fits, place)):
            raise InvalidInput("cursor is not one that this list gave: send next_cursor of the page before, unchanged")
        return tuple(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """One page of a list. `next_cursor` opens the page after it and is empty on the last one."""

    items: tuple[T, ...]
    next_cursor: str


def _fits(value: str | int) -> bool:
    """Tell whether SQLite can hold the value: somebody may have made up the cursor."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value.isascii()


def within_bytes(rows: Iterable[Row], *columns: str) -> tuple[list[Row], bool]:
    """Give the first rows whose texts in these columns fit one message, at least one, and whether there are more."""
    return fitting(rows, lambda row: sum(wire_bytes(row[column]) for column in columns))


def fitting(items: Iterable[T], size_bytes: Callable[[T], int]) -> tuple[list[T], bool]:
    """Give the first items that have 3 MiB together on the wire, at least one, and whether there are more.

    Many clients take no message of more than 4 MiB.
    """
    kept: list[T] = []
    sum_bytes = 0
    for item in items:
        sum_bytes += size_bytes(item) + _BYTES_OF_ONE
        if kept and sum_bytes > MOST_BYTES:
            return kept, True
        kept.append(item)
    return kept, False


def wire_bytes(text: str) -> int:
    """Tell about how many bytes a text needs on the wire, and no fewer; it may be an object of texts, as JSON."""
    return (len(text) if text.isascii() else len(text.encode())) + BYTES_OF_AN_ENTRY * text.count('":"')


def cut(found: Sequence[T], page: Page, place_of: Callable[[T], Place], *, more: bool = False) -> Listed[T]:
    """Make a page of what was found with a limit of one more than the page's size.

    `more` says that there is more than was found, however little that is.
    """
    if len(found) <= page.size and not more:
        return Listed(items=tuple(found), next_cursor="")
    items = tuple(found[: page.size])
    place = json.dumps(place_of(items[-1]), separators=(",", ":"))
    return Listed(items=items, next_cursor=base64.urlsafe_b64encode(place.encode()).decode())
