"""Deleting pipelines and namespaces, as callers ask for it: the wish is stored, and what it takes is a worker's."""

from collections.abc import Callable
from typing import Final, TypeAlias

from gofer.bus import Bus, Lagged, Subscription
from gofer.clock import Clock
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, ShuttingDown
from gofer.core.events import (
    Envelope,
    NamespaceDeleted,
    NamespaceDeletionRequested,
    PipelineDeleted,
    PipelineDeletionRequested,
)
from gofer.core.ids import DEFAULT_NAMESPACE, EventId, NamespaceId, PipelineKey
from gofer.services.hold import Hold
from gofer.services.runs import Target, pipeline_key, request_cancel
from gofer.sqlite import Database
from gofer.storage.unit import Unit

CANCELLED_AT_ONCE: Final = 50
"""Runs that the wish itself cancels at most, whatever the worker that sees to all others is busy with."""
IsGone: TypeAlias = Callable[[Unit], bool]


class Deletion:
    """The use cases. What is asked for goes on to its end, through restarts, whoever leaves.

    Every method raises `NotFound` for what does not exist. To ask again is no fault: it waits for the same end.
    """

    def __init__(self, *, database: Database[Unit], bus: Bus[Envelope], clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    async def delete_pipeline(self, caller: Caller, target: Target, *, wait: bool) -> tuple[PipelineKey, EventId]:
        """Refuse new work of the pipeline, cancel its runs, and remove it when they have ended.

        Gives its name, and the id of an event that its `PipelineDeleted` comes after; with `wait` that has come.
        Raises `ShuttingDown` where the server goes away before.
        """

        def write(unit: Unit) -> tuple[PipelineKey, EventId]:
            key = pipeline_key(unit, caller, target)
            unit.pipelines.get(key)
            if unit.removal.mark_pipeline(key, unit.now):
                unit.record(PipelineDeletionRequested(namespace_id=key.namespace, pipeline_id=key.pipeline))
                self._cancel_some(unit, key)
            return key, unit.journal.last_id()

        with self._bus.subscribe(PipelineDeleted) as gone:
            key, asked = await self._database.write(write)
            event = PipelineDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline)

            def is_gone(unit: Unit) -> bool:
                found = unit.pipelines.find(key)
                return found is None or found.deleting_at is None

            if wait:
                await self._wait(gone, event, is_gone)
        return key, asked

    async def delete_namespace(self, caller: Caller, namespace: str, *, wait: bool) -> EventId:
        """Delete all pipelines of the namespace as `delete_pipeline` does, then the namespace; what else as there.

        Raises `PermissionDenied`, and `FailedPrecondition` for the default namespace.
        """
        caller.require_admin()
        if not namespace:
            raise InvalidInput("the namespace's id is missing: name the namespace")
        wanted = NamespaceId(namespace)
        if wanted == DEFAULT_NAMESPACE:
            raise FailedPrecondition(
                f"the namespace {wanted!r} can't be deleted, as it is that of whoever names no other; "
                "its pipelines can: `gofer pipeline delete`",
                namespace=wanted,
            )

        def write(unit: Unit) -> EventId:
            unit.namespaces.get(wanted)
            if unit.removal.mark_namespace(wanted, unit.now):
                unit.record(NamespaceDeletionRequested(namespace_id=wanted))
            return unit.journal.last_id()

        def is_gone(unit: Unit) -> bool:
            found = unit.namespaces.find(wanted)
            return found is None or found.deleting_at is None

        with self._bus.subscribe(NamespaceDeleted) as gone:
            asked = await self._database.write(write)
            if wait:
                await self._wait(gone, NamespaceDeleted(namespace_id=wanted), is_gone)
        return asked

    def _cancel_some(self, unit: Unit, key: PipelineKey) -> None:
        hold = Hold(self._clock)
        for _ in range(CANCELLED_AT_ONCE):
            found = unit.runs.to_cancel(key, 1)
            for run in found:
                request_cancel(unit, run, force=False)
            if not found or hold.is_over():
                break

    async def _wait(self, gone: Subscription[Envelope], event: object, is_gone: IsGone) -> None:
        """Wait for the event; where some were dropped, look whether it was among them."""
        while not await _heard(gone, event):
            if await self._database.read(is_gone):
                return


async def _heard(gone: Subscription[Envelope], event: object) -> bool:
    """Wait for the event; False where some were dropped."""
    try:
        async for envelope in gone:
            if envelope.event == event:
                return True
    except Lagged:
        return False
    raise ShuttingDown("the server is going away; its next start goes on with the deletion")
