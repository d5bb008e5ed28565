"""The engines in use: each is made once, entered when it is first needed, and left when the server stops."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError
from gofer.engines.in_words import InWords
from gofer.engines.protocols import SchedulerEngine
from gofer.lifecycle import OwnedTasks, owned_tasks

CLOSE_GRACE: Final = timedelta(seconds=1)
_PASSES: Final = (GoferError, OSError)


class OpenedEngines:
    """Gives scheduler engines by name. New attempts use the configured one; recovery asks the one that was stored.

    Each engine has a task that enters it, holds it and leaves it: an engine may hold task groups of its own, and who
    asks for it first may be a short-lived task that is cancelled at any moment.
    """

    def __init__(self, make: Callable[[str], SchedulerEngine]) -> None:
        """`make` gives a new engine by its name; it raises `InvalidInput` for an unknown one.

        Whatever else `make` or the opening of an engine raises is told in words: `FailedPrecondition`, and
        `EngineUnavailable`.
        """
        self._make = make
        self._opened: dict[str, asyncio.Future[SchedulerEngine]] = {}  # opened, or being opened
        self._answered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._leave = asyncio.Event()
        self._stack = AsyncExitStack()
        self._tasks: OwnedTasks | None = None
        self._keepers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        self._tasks = await self._stack.enter_async_context(owned_tasks())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave all engines, by force where one takes its time; their containers go on where they can."""
        self._tasks = None
        self._opened.clear()
        self._leave.set()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=CLOSE_GRACE.total_seconds())
        await self._stack.__aexit__(kind, error, trace)

    async def answered(self, name: str) -> None:
        """Wait until somebody's try has opened the engine, without trying."""
        await self._answered[name].wait()

    def unopened(self, name: str) -> SchedulerEngine:
        """Give one that tells what it is and is never opened. Raises as `make` does."""
        with InWords(lambda: f"the engine {name} can't be made", FailedPrecondition, _PASSES):
            return self._make(name)

    async def get(self, name: str) -> SchedulerEngine:
        """Give the engine, opened. Raises `EngineUnavailable` while it can't be reached; asking again tries again.

        Callers share one try; one that goes away ends only its own wait.
        """
        opened = self._opened.get(name)
        if opened is None:
            if self._tasks is None:
                raise EngineUnavailable(f"the engine {name} was left: the server is stopping", engine=name)
            opened = self._opened[name] = asyncio.get_running_loop().create_future()
            opened.add_done_callback(lambda done: self._forget_failure(name, done))
            keeper = self._tasks.spawn(self._keep(name, opened), name=f"engine {name}")
            self._keepers.add(keeper)
            keeper.add_done_callback(self._keepers.discard)
        return await asyncio.shield(opened)

    async def _keep(self, name: str, opened: asyncio.Future[SchedulerEngine]) -> None:
        try:
            made = self.unopened(name)
            async with AsyncExitStack() as stack:
                with InWords(lambda: f"the engine {name} failed when it was opened", EngineUnavailable, _PASSES):
                    engine = await stack.enter_async_context(made)
                opened.set_result(engine)
                self._answered[name].set()
                await self._leave.wait()
        except (GoferError, OSError) as error:
            if opened.done():
                raise
            opened.set_exception(error)  # those who asked for it are told; it may be an engine that nobody needs
        finally:
            if not opened.done():
                opened.set_exception(EngineUnavailable(f"the engine {name} is not opened any more", engine=name))

    def _forget_failure(self, name: str, done: asyncio.Future[SchedulerEngine]) -> None:
        if done.exception() is not None and self._opened.get(name) is done:
            del self._opened[name]
