"""Admits queued runs: first in, first out within a pipeline; a full pipeline never holds up another.

The queues are a picture of the database. They are built when the worker starts, again when its subscription lagged, and
when somebody asks for a run to be repaired; in between each event touches one pipeline.
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.clock import Clock
from gofer.core.admission import Queues, effective_limit
from gofer.core.errors import Unavailable
from gofer.core.events import Envelope, RunCompleted, RunEvent, RunRepairRequested, RunStarted
from gofer.core.ids import RunKey
from gofer.services.admission_gate import AdmissionGate
from gofer.services.progress import QueuedRun, RunProgress
from gofer.workers.launching import BackOff

_log = structlog.get_logger(__name__)
_BACK_OFF = BackOff()
_MOST_AT_ONCE: Final = 256


class RunScheduler:
    """Gives each run that may start to the executor, and each that was under way when the server stopped."""

    name = "run scheduler"

    def __init__(
        self,
        *,
        bus: Bus[Envelope],
        progress: RunProgress,
        take: Callable[[RunKey], None],
        parallelism_limit: int,
        clock: Clock,
        gate: AdmissionGate | None = None,
    ) -> None:
        """`take` is given every run that may start while `gate` is open.

        `parallelism_limit` is the server's, 0 for none.
        """
        self._gate = gate or AdmissionGate()
        self._gate.on_open(self._admit)
        self._bus = bus
        self._progress = progress
        self._take = take
        self._limit = parallelism_limit
        self._clock = clock
        self._queues = Queues()
        self._known_event = 0
        self._changes: Subscription[Envelope] | None = None
        self._stopped = False

    async def run(self, ready: Callable[[], None]) -> None:
        """Admit until stopped."""
        with self._bus.subscribe(RunStarted, RunCompleted, RunRepairRequested) as changes:
            self._changes = changes
            await self._rebuild()
            ready()
            while not self._stopped:
                try:
                    await self._follow(changes)
                except Lagged:
                    await self._rebuild_in_time()
                except (Unavailable, OSError) as error:
                    _log.warning("queued runs can't be read, trying again", error=str(error))
                    await self._rebuild_in_time()
                else:
                    return

    def stop(self) -> None:
        """Admit nothing more."""
        self._stopped = True
        if self._changes is not None:
            self._changes.close()

    async def _follow(self, changes: Subscription[Envelope]) -> None:
        async for envelope in changes:
            # What came while the last ones were looked up is looked up together.
            batch = [envelope]
            while len(changes) and len(batch) < _MOST_AT_ONCE:
                batch.append(await anext(changes))
            if self._stopped:
                return
            await self._hear([each for each in batch if each.id > self._known_event])

    async def _hear(self, batch: Sequence[Envelope]) -> None:
        events = [each.event for each in batch if isinstance(each.event, RunEvent)]
        started = [_run_of(event) for event in events if isinstance(event, RunStarted)]
        found = await self._progress.queued(started) if started else {}
        for event in events:
            key = _run_of(event)
            if isinstance(event, RunCompleted):
                self._queues.ended(key)
            elif key in found:  # else it was deleted in the meantime
                self._enqueue(found[key])
        self._admit()
        if any(isinstance(event, RunRepairRequested) for event in events):
            await self._rebuild()  # finds whatever run was forgotten, and gives the executor what it has lost

    async def _rebuild_in_time(self) -> None:
        """Build the queues anew, as soon as the database can be read; what a failed read left out is in them then."""
        tries = 0
        while not self._stopped:
            try:
                await self._rebuild()
            except (Unavailable, OSError):
                await self._clock.sleep(_BACK_OFF.wait(tries))
                tries += 1
            else:
                return

    async def _rebuild(self) -> None:
        standing = await self._progress.standing()
        self._known_event = standing.last_event
        self._queues = Queues()
        for key in standing.live:
            self._queues.started(key)
            self._take(key)
        for queued in standing.queued:
            self._enqueue(queued)
        self._admit()

    def _enqueue(self, queued: QueuedRun) -> None:
        self._queues.enqueue(queued.key, limit=effective_limit(queued.parallelism, self._limit))

    def _admit(self) -> None:
        for key in self._queues.admissible() if self._gate.is_open and not self._stopped else ():
            self._take(key)


def _run_of(event: RunEvent) -> RunKey:
    return RunKey(namespace=event.namespace_id, pipeline=event.pipeline_id, run=event.run_id)
