"""The prune jobs for what runs keep until so many newer runs are there: their logs and their objects."""

from collections.abc import Sequence
from typing import Final

import structlog

from gofer.clock import Clock
from gofer.core.events import RunObjectsExpired
from gofer.core.ids import BlobId, RunKey, TaskRunKey
from gofer.core.object_record import ObjectOwner
from gofer.logs import LogStore
from gofer.services.hold import Hold
from gofer.services.object_blobs import ObjectBlobs
from gofer.services.pruning import Observe, PruneStep, unobserved
from gofer.sqlite import Database
from gofer.storage.retention import LogsDue
from gofer.storage.unit import Unit

_log = structlog.get_logger(__name__)

_LOGS_A_PIECE: Final = 200
_RUNS_A_PIECE: Final = 200
_BLOBS_A_PIECE: Final = 50


class ExpiredLogs:
    """Removes the logs of runs that have ended and are `keep` runs old.

    The files go first: what a crash leaves is a log that is gone and not marked so, which the next pass does. The other
    order would leave files that nobody knows of.
    """

    name = "expired logs"

    def __init__(
        self, *, database: Database[Unit], logs: LogStore, clock: Clock, keep: int, observe: Observe = unobserved
    ) -> None:
        self._database = database
        self._logs = logs
        self._clock = clock
        self._keep = keep
        self._observe = observe
        self._after: RunKey | None = None  # so that one that can't be removed now holds up no other

    async def run_once(self) -> bool:
        """Remove some logs, of the oldest runs first."""
        due = await self._database.read(
            lambda unit: unit.retention.logs_due(keep=self._keep, after=self._after, limit=_LOGS_A_PIECE)
        )
        if not due:
            self._after = None
            return False
        wanted = [task_run for each in due for task_run in each.task_runs]
        removal = await self._logs.remove(wanted)
        if removal.faults:
            _log.warning("logs can't be removed now", logs=len(removal.faults), error=removal.faults[0])
        self._observe(PruneStep.LOG_FILES)
        self._after = await self._database.write(lambda unit: self._expire(unit, due, removal.gone))
        self._observe(PruneStep.LOGS)
        return True

    def _expire(self, unit: Unit, due: Sequence[LogsDue], gone: frozenset[TaskRunKey]) -> RunKey | None:
        """Mark what is gone; give the last run that is done with in this pass. The rows of runs may be large."""
        hold = Hold(self._clock)
        done = self._after
        for each in due:
            unit.retention.expire_logs(gone.intersection(each.task_runs))
            if each.all_of_run and gone.issuperset(each.task_runs):
                unit.retention.expire_logs_of(each.run)
            elif not each.all_of_run and not gone.isdisjoint(each.task_runs):
                break  # it goes on with the others of its logs
            done = each.run
            if hold.is_over():
                break
        return done


class ExpiredRunObjects:
    """Removes the objects of runs that have ended and are `keep` runs old, and tells so of each run.

    The records go first, then the content: what a crash leaves of that is swept at the next start. Nothing is put on
    such a run any more.
    """

    name = "expired run objects"

    def __init__(
        self, *, database: Database[Unit], blobs: ObjectBlobs, clock: Clock, keep: int, observe: Observe = unobserved
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._keep = keep
        self._observe = observe

    async def run_once(self) -> bool:
        """Remove some objects, and mark those runs that have none left."""
        due = await self._database.read(lambda unit: unit.retention.objects_due(keep=self._keep, limit=_RUNS_A_PIECE))
        if not due:
            return False
        gone = await self._database.write(lambda unit: self._expire(unit, due))
        self._observe(PruneStep.RUN_OBJECT_ROWS)
        await self._blobs.delete(*gone)
        self._observe(PruneStep.RUN_OBJECTS)
        return True

    def _expire(self, unit: Unit, due: Sequence[RunKey]) -> list[BlobId]:
        hold = Hold(self._clock)
        gone: list[BlobId] = []
        for run in due:
            gone += unit.objects.delete_some(
                ObjectOwner(pipeline=run.of_pipeline, run=run.run), _BLOBS_A_PIECE - len(gone)
            )
            if len(gone) >= _BLOBS_A_PIECE:  # the run may have more of them
                break
            if unit.retention.expire_objects(run):
                unit.record(RunObjectsExpired(namespace_id=run.namespace, pipeline_id=run.pipeline, run_id=run.run))
            if hold.is_over():
                break
        return gone
