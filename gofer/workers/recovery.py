"""At boot: remove the containers of attempts that have ended, which a crash left between their exit and their removal.

Live runs need nothing here but the slots that they hold: the run scheduler finds them in the database and gives them
to the executor, whose actors take their attempts up again.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from gofer.core.errors import EngineUnavailable, GoferError
from gofer.core.ids import InstanceId
from gofer.engines.protocols import SchedulerEngine
from gofer.lifecycle import owned_tasks
from gofer.services.progress import RunProgress
from gofer.workers.launching import BackOff, Launching

_log = structlog.get_logger(__name__)
_PATIENCE = BackOff(first=timedelta(seconds=1), most=timedelta(minutes=10))
_FIRST_LOOK: Final = timedelta(seconds=5)


class Recovery:
    """Removes leftovers from every engine that the database names, once, as soon as that engine can be reached.

    It is ready when it has looked at the server's own engine, or has found that this must wait. Before anything, every
    attempt that may have a container gets its slot: else what waits in line would find slots free that are not.
    """

    name = "recovery"

    def __init__(self, *, engine: str, progress: RunProgress, parts: Launching) -> None:
        """Look first at `engine`, the server's own."""
        self._engine = engine
        self._progress = progress
        self._parts = parts
        self._stop = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until every engine was looked at, or stopped."""
        async with owned_tasks() as tasks:
            work = tasks.spawn(self._remove_all(ready), name="remove leftovers")
            stopped = tasks.spawn(self._stop.wait(), name="stop of recovery")
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)

    def stop(self) -> None:
        """Leave what is left over to the next start."""
        self._stop.set()

    async def _remove_all(self, ready: Callable[[], None]) -> None:
        for key in await self._progress.live_task_runs():
            self._parts.slots.take_over(key)
        others = [name for name in await self._progress.engines() if name != self._engine]
        waiting = [] if await self._first_look() else [self._engine]
        ready()
        waiting += others
        tries = 0
        while waiting:
            waiting = [name for name in waiting if not await self._remove_from(name)]
            await self._parts.clock.sleep(_PATIENCE.wait(tries))
            tries += 1

    async def _first_look(self) -> bool:
        try:
            async with asyncio.timeout(_FIRST_LOOK.total_seconds()):
                return await self._remove_from(self._engine)
        except TimeoutError:
            _log.warning("leftover containers are looked for later: the engine is slow", engine=self._engine)
            return False

    async def _remove_from(self, name: str) -> bool:
        """Tell whether the engine was looked at; what it refuses is refused for ever."""
        try:
            engine = await self._parts.engine(name)
            await remove_leftovers(engine, progress=self._progress, instance=self._parts.instance)
        except (EngineUnavailable, OSError) as error:
            _log.warning("leftover containers are looked for later", engine=name, error=str(error))
            return False
        except GoferError as error:
            _log.warning("leftover containers were not looked for", engine=name, error=error.message)
        return True


async def remove_leftovers(
    engine: SchedulerEngine, *, progress: RunProgress, instance: InstanceId, limit: int | None = None
) -> int:
    """Remove this instance's containers that no live task run holds, so many of them at most; their number.

    The containers are listed before the attempts are read, so that one that is launched meanwhile is never taken for a
    leftover. Only containers that carry our labels are ever looked at. Raises `EngineUnavailable`.
    """
    owned = [each async for each in engine.owned(instance)]
    if not owned:
        return 0
    live = await progress.live_attempts(instance)
    removed = 0
    for each in owned:
        if str(each.attempt) in live:
            continue
        if removed == limit:
            break
        try:
            await engine.remove(each.handle)
        except EngineUnavailable:
            raise
        except GoferError as error:
            _log.warning("leftover container not removed", attempt=str(each.attempt), error=error.message)
        else:
            removed += 1
    return removed
