"""To wait for what nothing tells of: the deeds of another process or thread, a file, the turns of a worker."""

import asyncio
import inspect
import time
from collections.abc import Callable

LOOK_SECONDS = 0.01
SOON_SECONDS = 60.0
"""A limit finds what never comes. It is long, as what only takes long on a busy machine is no fault."""


async def until(condition: Callable[[], object], *, seconds: float = SOON_SECONDS) -> None:
    """Wait until the condition holds; what it gives to be awaited is. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await _held(condition):  # noqa: ASYNC110 - nothing tells of it, as said above
            await asyncio.sleep(LOOK_SECONDS)


async def pass_turns(count: int) -> None:
    """Let so many turns of the loop go by, in which others do what needs no thread and no other process."""
    for _ in range(count):
        await asyncio.sleep(0)


async def _held(condition: Callable[[], object]) -> bool:
    held = condition()
    return bool(await held if inspect.isawaitable(held) else held)


def wait_until(condition: Callable[[], object], *, seconds: float = SOON_SECONDS) -> None:
    """Do what `until` does, where there is no loop."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not come within {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)
