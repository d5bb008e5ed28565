"""The prune jobs on the database alone: what is too old, or one too many. What the runs keep is in `run_retention`.

A job does one small piece of its work at a time, and tells whether there is more. Each piece is one transaction that
holds the writer for some milliseconds, whatever the disk and the rows are like, so that other writes hardly wait.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from gofer.clock import Clock
from gofer.core.ids import BlobId, PipelineKey
from gofer.core.object_record import ObjectOwner, ObjectRecord
from gofer.core.retention import oldest_kept
from gofer.services.hold import Hold
from gofer.services.object_blobs import ObjectBlobs
from gofer.services.object_rules import evict
from gofer.services.version_limit import prune_versions
from gofer.sqlite import Database
from gofer.storage.unit import Unit

EXPIRED_TOKEN_LIFE: Final = timedelta(hours=24)
"""How long an expired token is still listed as such."""
_MANY: Final = 100
_PIPELINES_A_LOOK: Final = 200
_PIPELINES_A_PIECE: Final = 20
_BLOBS_A_PIECE: Final = 50


class PruneStep(StrEnum):
    """What was just done, told to the observer: between two of them a process can die."""

    EVENTS = "events_removed"
    TOKENS = "tokens_removed"
    REQUEST_IDS = "request_ids_forgotten"
    VERSIONS = "versions_removed"
    OBJECT_ROWS = "object_rows_removed"
    OBJECTS = "objects_removed"
    RUN_OBJECT_ROWS = "run_object_rows_removed"
    RUN_OBJECTS = "run_objects_removed"
    LOG_FILES = "log_files_removed"
    LOGS = "logs_expired"
    CONTAINERS = "containers_removed"


Observe = Callable[[PruneStep], None]


def unobserved(_step: PruneStep) -> None:
    """Tell nobody."""


class AgedRows(ABC):
    """A job that removes rows which are older than a certain age."""

    name: ClassVar[str]
    step: ClassVar[PruneStep]
    rows_at_once: ClassVar[int] = _MANY

    def __init__(
        self, *, database: Database[Unit], clock: Clock, keep: timedelta, observe: Observe = unobserved
    ) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep
        self._observe = observe

    async def run_once(self) -> bool:
        """Remove some of them; tell whether there are more."""
        before = oldest_kept(self._clock.now(), keep=self._keep)
        if not await self._database.read(lambda unit: self._are_there(unit, before)):
            return False

        def write(unit: Unit) -> bool:
            hold = Hold(self._clock)
            while self._remove(unit, before) == self.rows_at_once:
                if hold.is_over():
                    return True
            return False

        more = await self._database.write(write)
        self._observe(self.step)
        return more

    @abstractmethod
    def _are_there(self, unit: Unit, before: datetime) -> bool: ...

    @abstractmethod
    def _remove(self, unit: Unit, before: datetime) -> int: ...


class OldEvents(AgedRows):
    """Removes events beyond their retention, oldest first. An id is never used again."""

    name = "old events"
    step = PruneStep.EVENTS

    def _are_there(self, unit: Unit, before: datetime) -> bool:
        return unit.journal.has_before(before)

    def _remove(self, unit: Unit, before: datetime) -> int:
        return unit.journal.prune(before, self.rows_at_once)


class ExpiredTokens(AgedRows):
    """Removes tokens some time after they have expired."""

    name = "expired tokens"
    step = PruneStep.TOKENS

    def _are_there(self, unit: Unit, before: datetime) -> bool:
        return unit.tokens.has_expired(before)

    def _remove(self, unit: Unit, before: datetime) -> int:
        return unit.tokens.prune(before, self.rows_at_once)


class OldRequestIds(AgedRows):
    """Forgets request ids that give no run any more."""

    name = "old request ids"
    step = PruneStep.REQUEST_IDS
    rows_at_once = 1  # the row of a run may be large

    def _are_there(self, unit: Unit, before: datetime) -> bool:
        return unit.retention.has_request_ids(before)

    def _remove(self, unit: Unit, before: datetime) -> int:
        return unit.retention.forget_request_ids(before, self.rows_at_once)


class SurplusVersions:
    """Removes versions beyond the limit where it was lowered; registering a version does so for its own pipeline."""

    name = "surplus versions"

    def __init__(self, *, database: Database[Unit], clock: Clock, limit: int, observe: Observe = unobserved) -> None:
        """Keep at most `limit` versions of a pipeline beside those that a run was made from; 0 keeps all."""
        self._database = database
        self._clock = clock
        self._limit = limit
        self._observe = observe
        self._after: PipelineKey | None = None

    async def run_once(self) -> bool:
        """Look at some pipelines, one behind the other, and go on with the first ones after the last."""
        if not self._limit:
            return False
        found, prunable = await self._database.read(self._look)
        if not prunable:
            self._after = found[-1] if found else None
            return bool(found)

        def write(unit: Unit) -> PipelineKey | None:
            hold = Hold(self._clock)
            done = self._after
            for key in prunable:
                while prune_versions(unit, key, keep=self._limit, most=1):  # a version may be large
                    if hold.is_over():
                        return done  # it is the first of the next piece
                done = key
                if hold.is_over():
                    break
            return done

        self._after = await self._database.write(write)
        self._observe(PruneStep.VERSIONS)
        return True

    def _look(self, unit: Unit) -> tuple[tuple[PipelineKey, ...], tuple[PipelineKey, ...]]:
        found = unit.retention.pipelines_over_versions(self._limit, after=self._after, limit=_PIPELINES_A_LOOK)
        prunable = [
            key
            for key in found
            if unit.pipelines.is_prunable(key, keep=self._limit, spare=unit.pipelines.last_version(key))
        ]
        return found, tuple(prunable)


class SurplusObjects:
    """Evicts the oldest objects of pipelines that have more than the limit, where it was lowered.

    The records go first, then the content: what a crash leaves of that is swept at the next start.
    """

    name = "surplus objects"

    def __init__(
        self, *, database: Database[Unit], blobs: ObjectBlobs, clock: Clock, limit: int, observe: Observe = unobserved
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._limit = limit
        self._observe = observe

    async def run_once(self) -> bool:
        """Evict some."""
        found = await self._database.read(self._look)
        if not found:
            return False

        def write(unit: Unit) -> list[BlobId]:
            hold = Hold(self._clock)
            gone: list[BlobId] = []
            for owner, oldest in found:
                over = max(0, unit.objects.count(owner) - self._limit)
                evicted = evict(unit, owner, oldest[: min(over, _BLOBS_A_PIECE - len(gone))])
                gone += [each.blob for each in evicted]
                if hold.is_over() or len(gone) >= _BLOBS_A_PIECE:
                    break
            return gone

        gone = await self._database.write(write)
        self._observe(PruneStep.OBJECT_ROWS)
        await self._blobs.delete(*gone)
        self._observe(PruneStep.OBJECTS)
        return True

    def _look(self, unit: Unit) -> list[tuple[ObjectOwner, tuple[ObjectRecord, ...]]]:
        """Find what is too much. To sort very many objects takes a while, so that the writer must not do it."""
        keys = unit.retention.pipelines_over_objects(self._limit, _PIPELINES_A_PIECE)
        owners = [ObjectOwner(pipeline=key) for key in keys]
        return [(owner, unit.objects.oldest(owner, _BLOBS_A_PIECE)) for owner in owners]
