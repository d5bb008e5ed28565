"""What the deletion of pipelines and namespaces takes, piece by piece: no caller, no permission check.

Each piece is one transaction that holds the writer for some milliseconds, whatever the rows are like, and may be the
last one before a crash: what is left is found by its mark at the next start, and any piece may be done again. What lies
outside the database goes first, so that nothing is left that nobody knows of; but for the content of objects and
secrets, which is swept at the start where no record names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gofer.clock import Clock
from gofer.core.events import NamespaceDeleted, PipelineDeleted
from gofer.core.ids import BlobId, NamespaceId, PipelineKey
from gofer.logs import LogStore
from gofer.services.hold import Hold
from gofer.services.runs import request_cancel
from gofer.services.stored_blobs import StoredBlobs
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_ROWS_A_STEP: Final = 64
_BLOBS_A_PIECE: Final = 50

Step = Callable[[Unit, int], bool]
"""Changes at most so many rows; tells whether there may be more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Everything that is to be deleted."""

    pipelines: tuple[PipelineKey, ...]
    namespaces: tuple[NamespaceId, ...]


class Removal:
    """Removes what is marked. Every method is safe to repeat, and to leave at any point."""

    def __init__(
        self,
        *,
        database: Database[Unit],
        logs: LogStore,
        objects: StoredBlobs,
        secrets: StoredBlobs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._logs = logs
        self._objects = objects
        self._secrets = secrets
        self._clock = clock

    async def marked(self) -> Marked:
        """Name everything that is to be deleted."""
        return await self._database.read(
            lambda unit: Marked(pipelines=unit.removal.marked_pipelines(), namespaces=unit.removal.marked_namespaces())
        )

    async def cancel_runs(self, key: PipelineKey) -> bool:
        """Ask some runs of the pipeline to end; tell whether there are more to ask."""
        if not await self._database.read(lambda unit: unit.runs.to_cancel(key, 1)):
            return False

        def step(unit: Unit, limit: int) -> bool:
            del limit
            found = unit.runs.to_cancel(key, 1)
            for run in found:
                request_cancel(unit, run, force=False)
            return bool(found)

        return await self._piece(step)

    async def has_ended(self, key: PipelineKey) -> bool:
        """Tell whether all runs of the pipeline have ended."""
        return not await self._database.read(lambda unit: unit.runs.has_unfinished(key))

    async def engines(self, key: PipelineKey) -> tuple[str, ...]:
        """Name the engines that may hold containers of the pipeline."""
        return await self._database.read(lambda unit: unit.removal.engines_of(key))

    async def remove_some(self, key: PipelineKey) -> bool:
        """Remove a piece of a pipeline whose runs have ended; False when the pipeline itself is gone.

        Raises `FailedPrecondition` while a log of it is still being written, and `OSError`.
        """
        if await self._logs.delete_some_of(key):
            return True
        return await self._remove_stored(key) or await self._remove_rows(key)

    async def remove_namespace(self, namespace: NamespaceId) -> bool:
        """Remove a piece of a namespace whose pipelines are gone; False when it is gone itself."""

        def tokens(unit: Unit, limit: int) -> bool:
            narrowed = unit.removal.from_tokens(namespace, limit)
            unit.tokens.note_narrowed(narrowed)
            return bool(narrowed)

        def secrets(unit: Unit, limit: int) -> bool:
            return unit.removal.from_global_secrets(namespace, limit) > 0

        if await self._piece(tokens) or await self._piece(secrets):
            return True

        def finish(unit: Unit) -> None:
            if unit.namespaces.find(namespace) is not None:
                unit.removal.namespace(namespace)
                unit.record(NamespaceDeleted(namespace_id=namespace))

        await self._database.write(finish)
        return False

    async def has_pipelines(self, namespace: NamespaceId) -> bool:
        """Tell whether there is any pipeline in the namespace."""
        return await self._database.read(lambda unit: unit.removal.has_pipelines(namespace))

    async def _remove_stored(self, key: PipelineKey) -> bool:
        """Forget some objects or secrets, then delete what they named; tell whether there were any."""

        def forget(unit: Unit) -> tuple[tuple[BlobId, ...], tuple[BlobId, ...]]:
            objects = unit.removal.objects(key, _BLOBS_A_PIECE)
            return objects, unit.removal.secrets(key, _BLOBS_A_PIECE - len(objects))

        if not await self._database.read(lambda unit: unit.removal.has_blobs(key)):
            return False
        objects, secrets = await self._database.write(forget)
        await self._objects.delete(*objects)
        await self._secrets.delete(*secrets)
        return bool(objects or secrets)

    async def _remove_rows(self, key: PipelineKey) -> bool:
        """Remove some rows, in the order in which they refer to each other; False when the pipeline itself is gone."""

        def step(unit: Unit, limit: int) -> bool:
            return bool(
                unit.tokens.delete_of_pipeline(key, limit)
                or unit.removal.task_runs(key, limit)
                or unit.removal.runs(key, 1)  # large ones may stand behind many small rows that went quickly
                or unit.removal.deployments(key, limit)
                or unit.removal.configs(key, 1)
            )

        if await self._piece(step):
            return True

        def finish(unit: Unit) -> None:
            if unit.pipelines.find(key) is not None:
                unit.removal.pipeline(key)
                unit.record(PipelineDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline))

        await self._database.write(finish)
        return False

    async def _piece(self, step: Step) -> bool:
        """Take steps in one transaction until there is no more, or its time is over; tell whether there may be more."""

        def write(unit: Unit) -> bool:
            hold = Hold(self._clock)
            rows = 1  # and more with each step that was quick
            while step(unit, rows):
                if hold.is_over():
                    return True
                rows = min(2 * rows, _ROWS_A_STEP)
            return False

        return await self._database.write(write)
