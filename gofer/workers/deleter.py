"""Deletes pipelines and namespaces that are marked: cancels, waits for the last run, removes piece by piece.

What is to be deleted is read from the database at each look, so that a crash, a missed event or a failure costs nothing
but another look.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.errors import GoferError
from gofer.core.events import Envelope, NamespaceDeletionRequested, PipelineDeletionRequested, RunCompleted
from gofer.core.ids import NamespaceId, PipelineKey
from gofer.lifecycle import owned_tasks
from gofer.services.removal import Removal
from gofer.workers.launching import BackOff, Launching

_log = structlog.get_logger(__name__)

REST: Final = timedelta(milliseconds=5)
"""Between two pieces, for whoever else writes."""
PATIENCE: Final = timedelta(seconds=10)
"""How long an engine may take to say which containers it has."""
_BACK_OFF: Final = BackOff(first=timedelta(seconds=1), most=timedelta(minutes=1))


class Deleter:
    """Looks after everything that is marked, for as long as the server runs; ready at once."""

    name = "deleter"

    def __init__(self, *, bus: Bus[Envelope], removal: Removal, parts: Launching) -> None:
        self._bus = bus
        self._removal = removal
        self._parts = parts
        self._stop = asyncio.Event()
        self._waiting: frozenset[PipelineKey] = frozenset()  # for runs to end
        self._failures = 0

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until stopped; the piece under way is finished."""
        with self._bus.subscribe(PipelineDeletionRequested, NamespaceDeletionRequested, RunCompleted) as changes:
            ready()
            while not self._stop.is_set():
                if await self._work():
                    self._failures = 0
                    await self._wait_for_change(changes)
                else:
                    self._failures += 1
                    await self._idle(_BACK_OFF.wait(self._failures - 1))

    def stop(self) -> None:
        """End after the piece under way; the next start goes on."""
        self._stop.set()

    async def _work(self) -> bool:
        """Do all that can be done now; tell whether nothing went wrong."""
        try:
            marked = await self._removal.marked()
        except (GoferError, OSError) as error:
            _log.warning("what is to be deleted can't be read, trying again", error=str(error))
            return False
        waiting: set[PipelineKey] = set()
        well = True
        for key in marked.pipelines:
            try:
                if not await self._delete_pipeline(key):
                    waiting.add(key)
            except (GoferError, OSError) as error:
                _log.warning("a pipeline can't be deleted now, trying again", pipeline=str(key), error=str(error))
                well = False
        self._waiting = frozenset(waiting)
        for namespace in marked.namespaces:
            try:
                await self._delete_namespace(namespace)
            except (GoferError, OSError) as error:
                _log.warning("a namespace can't be deleted now, trying again", namespace=namespace, error=str(error))
                well = False
        return well

    async def _delete_pipeline(self, key: PipelineKey) -> bool:
        """Bring the deletion as far as it comes; False where it has to wait for runs."""
        while not self._stop.is_set() and await self._removal.cancel_runs(key):
            await self._idle(REST)
        if not await self._removal.has_ended(key):
            return False
        await self._remove_containers(key)
        while not self._stop.is_set():
            if not await self._removal.remove_some(key):
                _log.info("deleted a pipeline", pipeline=str(key))
                break
            await self._idle(REST)
        return True

    async def _delete_namespace(self, namespace: NamespaceId) -> None:
        if await self._removal.has_pipelines(namespace):
            return  # one of them waits, or could not be deleted
        while not self._stop.is_set():
            if not await self._removal.remove_namespace(namespace):
                _log.info("deleted a namespace", namespace=namespace)
                return
            await self._idle(REST)

    async def _remove_containers(self, key: PipelineKey) -> None:
        """Remove what a crash left of ended attempts, while it is known which engines to ask.

        What can't be removed now is left to the next start of the server, which looks for what nobody holds.
        """
        for name in await self._removal.engines(key):
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    await self._remove_containers_from(name, key)
            except (GoferError, OSError, TimeoutError) as error:
                _log.warning("containers may be left", engine=name, pipeline=str(key), error=str(error))

    async def _remove_containers_from(self, name: str, key: PipelineKey) -> None:
        engine = await self._parts.engine(name)
        owned = [each async for each in engine.owned(self._parts.instance)]
        for each in owned:
            if each.attempt.key.of_run.of_pipeline == key:
                await engine.remove(each.handle)

    async def _wait_for_change(self, changes: Subscription[Envelope]) -> None:
        async with owned_tasks() as tasks:
            changed = tasks.spawn(self._next(changes), name="wait for something to delete")
            stopped = tasks.spawn(self._stop.wait(), name="stop of the deleter")
            await asyncio.wait({changed, stopped}, return_when=asyncio.FIRST_COMPLETED)

    async def _next(self, changes: Subscription[Envelope]) -> None:
        """Wait for what matters, or until something was missed; for ever where there will be nothing."""
        try:
            async for envelope in changes:
                event = envelope.event
                if not isinstance(event, RunCompleted):
                    return
                if PipelineKey(namespace=event.namespace_id, pipeline=event.pipeline_id) in self._waiting:
                    return
        except Lagged:
            return
        await asyncio.Event().wait()

    async def _idle(self, duration: timedelta) -> None:
        async with owned_tasks() as tasks:
            asleep = tasks.spawn(self._parts.clock.sleep(duration), name="rest of the deleter")
            stopped = tasks.spawn(self._stop.wait(), name="stop of the deleter")
            await asyncio.wait({asleep, stopped}, return_when=asyncio.FIRST_COMPLETED)
