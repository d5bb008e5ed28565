"""The engines in use: each is made once, entered when it is first needed, and left when the server stops."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from gofer.engines.protocols import SchedulerEngine


class OpenedEngines:
    """Gives scheduler engines by name. New attempts use the configured one; recovery asks the one that was stored."""

    def __init__(self, make: Callable[[str], SchedulerEngine]) -> None:
        """`make` gives a new engine by its name; it raises `InvalidInput` for an unknown one."""
        self._make = make
        self._opened: dict[str, SchedulerEngine] = {}
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave all engines; their containers go on where they can."""
        self._opened.clear()
        await self._stack.__aexit__(kind, error, trace)

    async def get(self, name: str) -> SchedulerEngine:
        """Give the engine, opened. Raises `EngineUnavailable` while it can't be reached; asking again tries again."""
        found = self._opened.get(name)
        if found is not None:
            return found
        async with self._lock:
            if name not in self._opened:
                self._opened[name] = await self._stack.enter_async_context(self._make(name))
            return self._opened[name]
