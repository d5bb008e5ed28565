"""Lists: as much of one as somebody asked for, and whether one is empty or of nothing."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from gofer_sdk.client import GoferClient, Page

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


async def pipeline_must_exist(client: "GoferClient", pipeline: str) -> None:
    """Return if there is such a pipeline: its lists are as empty where it does not exist.

    Raises NotFound, in the server's words.
    """
    if not await client.pipelines.list_configs(pipeline, limit=1):
        await client.pipelines.get(pipeline)
