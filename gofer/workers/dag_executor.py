"""Owns the task group of all live runs, and tells their actors of what users ask for."""

import asyncio
from collections.abc import Callable

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.errors import ShuttingDown
from gofer.core.events import Envelope, RunCancelRequested, RunRepairRequested, TaskRunCancelRequested
from gofer.core.ids import RunKey
from gofer.lifecycle import OwnedTasks, owned_tasks
from gofer.services.progress import RunProgress
from gofer.workers.launching import Launching
from gofer.workers.run_actor import RunActor

_log = structlog.get_logger(__name__)
_REQUESTS = (RunCancelRequested, RunRepairRequested, TaskRunCancelRequested)


class DagExecutor:
    """Runs one actor for each live run. Stopping lets go: actors end at their next await, containers go on."""

    name = "dag executor"

    def __init__(self, *, bus: Bus[Envelope], progress: RunProgress, parts: Launching) -> None:
        """Take the parts that every supervisor shares."""
        self._bus = bus
        self._progress = progress
        self._parts = parts
        self._actors: dict[RunKey, RunActor] = {}
        self._tasks: OwnedTasks | None = None
        self._stop = asyncio.Event()

    def __len__(self) -> int:
        """Count the live runs."""
        return len(self._actors)

    def take(self, key: RunKey) -> None:
        """Give a run an actor: one that may start, or one that was under way before a restart. Safe to repeat."""
        if key in self._actors:
            return
        if self._tasks is None:
            message = "the executor is not running"
            raise ShuttingDown(message)
        actor = RunActor(key=key, progress=self._progress, parts=self._parts, spawn=self._tasks.spawn)
        self._actors[key] = actor
        self._tasks.spawn(self._live(key, actor), name=f"run {key}")

    async def run(self, ready: Callable[[], None]) -> None:
        """Forward cancel requests until stopped."""
        async with owned_tasks() as tasks:
            self._tasks = tasks
            try:
                tasks.spawn(self._forward(ready), name="cancel requests")
                await self._stop.wait()
            finally:
                self._tasks = None

    def stop(self) -> None:
        """Let go of every run."""
        self._stop.set()

    async def _live(self, key: RunKey, actor: RunActor) -> None:
        try:
            await actor.run()
        finally:
            del self._actors[key]

    async def _forward(self, ready: Callable[[], None]) -> None:
        with self._bus.subscribe(*_REQUESTS) as requests:
            ready()
            while not await self._hear(requests):
                for actor in self._actors.values():
                    actor.poke()

    async def _hear(self, requests: Subscription[Envelope]) -> bool:
        """Pass requests on; True at the end of the bus, False where some of them were dropped."""
        try:
            async for envelope in requests:
                self._poke(envelope)
        except Lagged:
            return False
        return True

    def _poke(self, envelope: Envelope) -> None:
        event = envelope.event
        if not isinstance(event, _REQUESTS):
            return
        key = RunKey(namespace=event.namespace_id, pipeline=event.pipeline_id, run=event.run_id)
        actor = self._actors.get(key)
        if actor is not None:
            actor.poke()
