"""Take as much of a list as somebody asked for, over as many pages as the server makes of it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from gofer_sdk.client import Page

T = TypeVar("T")


async def take(fetch: "Callable[[int, str], Awaitable[Page[T]]]", limit: int) -> tuple[list[T], str]:
    """Return at most `limit` items and the cursor of what follows, empty if nothing does.

    `fetch` gets how many items are wanted, and the cursor of the page.
    """
    items: list[T] = []
    cursor = ""
    while len(items) < limit:
        page = await fetch(limit - len(items), cursor)
        items.extend(page)
        cursor = page.next_cursor
        if not cursor:
            break
    return items[:limit], cursor
