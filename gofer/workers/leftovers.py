"""The prune job for containers: those of ended attempts that nobody has removed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from gofer.core.errors import EngineUnavailable, GoferError
from gofer.core.ids import InstanceId
from gofer.engines.protocols import SchedulerEngine
from gofer.services.progress import RunProgress
from gofer.services.pruning import Observe, PruneStep, unobserved
from gofer.workers.recovery import remove_leftovers

_log = structlog.get_logger(__name__)

_CONTAINERS_A_PIECE: Final = 20
_PATIENCE: Final = timedelta(minutes=1)
"""The other jobs wait for this one."""


class LeftoverContainers:
    """Removes this server's containers that no live task run holds, from the engines that task runs were given to.

    A container is removed when its task run ends; this is for those that the engine would not let go of then. What
    carries no label of this server is never touched.
    """

    name = "leftover containers"

    def __init__(
        self,
        *,
        engine_of: Callable[[str], Awaitable[SchedulerEngine]],
        wanted: Callable[[str], bool],
        progress: RunProgress,
        instance: InstanceId,
        observe: Observe = unobserved,
    ) -> None:
        """Look at those engines whose names are wanted."""
        self._engine_of = engine_of
        self._wanted = wanted
        self._progress = progress
        self._instance = instance
        self._observe = observe

    async def run_once(self) -> bool:
        """Remove a few from each engine. One that can't be reached is left for another time."""
        more = False
        for name in await self._progress.engines():
            if self._wanted(name):
                more |= await self._remove_from(name)
        return more

    async def _remove_from(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                engine = await self._engine_of(name)
                removed = await remove_leftovers(
                    engine, progress=self._progress, instance=self._instance, limit=_CONTAINERS_A_PIECE
                )
        except (EngineUnavailable, OSError, TimeoutError) as error:
            _log.info("leftover containers are looked for another time", engine=name, error=str(error))
            return False
        except GoferError as error:
            _log.warning("leftover containers were not looked for", engine=name, error=error.message)
            return False
        if removed:
            _log.info("removed leftover containers", engine=name, containers=removed)
            self._observe(PruneStep.CONTAINERS)
        return removed >= _CONTAINERS_A_PIECE
