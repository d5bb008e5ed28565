"""Lists that a server gives in pages."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of a list, in its order.

    Attributes:
        items: what is on this page.
        next_cursor: what to give as `cursor` for the next page; empty on the last one.

    """

    items: tuple[T, ...]
    next_cursor: str

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


async def each_of(fetch: Callable[[str], Awaitable[Page[T]]]) -> AsyncGenerator[T, None]:
    """Yield the items of all pages; `fetch` gets the cursor of each."""
    cursor = ""
    while True:
        page = await fetch(cursor)
        for item in page:
            yield item
        cursor = page.next_cursor
        if not cursor:
            return
