"""The engine that the settings name: opened at the start, or waited for while it can't be reached."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from gofer.clock import Clock
from gofer.core.errors import EngineUnavailable, GoferError
from gofer.engines.opened import OpenedEngines
from gofer.engines.protocols import SchedulerEngine
from gofer.lifecycle import owned_tasks, running
from gofer.workers.launching import BackOff
from gofer.workers.troubles import Troubles

_log = structlog.get_logger(__name__)

WAITS: Final = BackOff(first=timedelta(seconds=1), most=timedelta(minutes=1))
PATIENCE: Final = timedelta(seconds=10)
"""How long the start of the server waits for an engine that neither answers nor fails."""
_ABOUT: Final = "the server"


class OwnEngine:
    """A worker that tries to open an engine until that is done, and tells for how long it is not.

    It is ready at once: the server starts, and what it launches waits.
    """

    name = "own engine"

    def __init__(self, engine: str, *, engines: OpenedEngines, clock: Clock, troubles: Troubles, fault: str) -> None:
        """Wait for the engine of that name, which `fault` says why it can't be used."""
        self._engine = engine
        self._engines = engines
        self._clock = clock
        self._troubles = troubles
        self._stop = asyncio.Event()
        self._tell(fault)

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until the engine is opened, or stopped."""
        async with owned_tasks() as tasks:
            work = tasks.spawn(self._open(), name="open the engine")
            stopped = tasks.spawn(self._stop.wait(), name="stop of the engine's opening")
            ready()
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)

    def stop(self) -> None:
        """Wait no more."""
        self._stop.set()

    async def _open(self) -> None:
        tries = 0
        while not await self._is_open(WAITS.wait(tries)):
            tries += 1
        self._troubles.over(_ABOUT)
        _log.info("the engine answers: what waited for it goes on", engine=self._engine)

    async def _is_open(self, wait: timedelta) -> bool:
        async with owned_tasks() as tasks:  # who launches tries, too
            sleeping = tasks.spawn(self._clock.sleep(wait), name="wait for the engine")
            answered = tasks.spawn(self._engines.answered(self._engine), name="the engine's answer")
            await asyncio.wait({sleeping, answered}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await self._engines.get(self._engine)
        except (GoferError, OSError) as error:
            self._tell(_words(error))
            _log.info("the engine still can't be used", engine=self._engine, error=_words(error))
            return False
        return True

    def _tell(self, fault: str) -> None:
        self._troubles.tell(_ABOUT, fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStart:
    """What opening the server's own engine needs; `fallback` names the engine that dev mode takes in its place."""

    engines: OpenedEngines
    clock: Clock
    troubles: Troubles
    patience: timedelta = PATIENCE
    fallback: str = ""

    async def open(self, stack: AsyncExitStack, name: str) -> SchedulerEngine:
        """Give the engine of that name, opened, or waited for until the stack is closed.

        The one that is waited for knows its name and what it can do; it is not to be called.
        Raises `InvalidInput` or `FailedPrecondition` where its name or its settings are wrong, or it can't be used as
        it is.
        """
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                return await self.engines.get(name)
        except TimeoutError:
            fault = f"the engine {name} has not answered within {self.patience.total_seconds():g} seconds"
        except (EngineUnavailable, OSError) as error:
            fault = _words(error)
        if self.fallback:
            _log.warning("the engine does not answer: another is taken", engine=name, taken=self.fallback, error=fault)
            return await self.engines.get(self.fallback)
        _log.warning("the engine can't be reached: runs wait until it answers", engine=name, error=fault)
        worker = OwnEngine(name, engines=self.engines, clock=self.clock, troubles=self.troubles, fault=fault)
        await stack.enter_async_context(running(worker, grace=timedelta()))
        return self.engines.unopened(name)


def engine_notes(engine: SchedulerEngine) -> tuple[str, ...]:
    """Give the sentences that users of an engine should know."""
    if engine.name == "memory":
        return ("the memory engine is in use: it runs no program, and does what a task's variables tell it to play",)
    if engine.capabilities.isolates:
        return ()
    note = (
        f"the {engine.name} engine is in use: tasks run on this machine without isolation, with this server's rights, "
        "and their images are ignored"
    )
    return (note,)


def _words(error: Exception) -> str:
    return error.message if isinstance(error, GoferError) else str(error) or type(error).__name__
