"""Which owner an object request means, and what that owner may keep; asked within the transaction that needs it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gofer.core.access import Caller
from gofer.core.errors import AlreadyExists, FailedPrecondition, InvalidInput, LimitReached, NotFound
from gofer.core.events import EvictedPipelineObject
from gofer.core.ids import RunId, RunKey
from gofer.core.object_record import MAX_RUN_OBJECTS, ObjectOwner, ObjectRecord
from gofer.services.runs import Target, pipeline_key
from gofer.storage.unit import Unit
from gofer_sdk.rules.text import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLimits:
    """How many objects a pipeline keeps, after how many newer runs those of a run go, and how large one may be."""

    pipeline_objects: int
    run_expiry: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTarget:
    """Whose objects a request is about, as it was sent.

    An empty `namespace` means the caller's own. `run` is None for the pipeline's own objects, and 0 for those of its
    newest run.
    """

    namespace: str
    pipeline: str
    run: int | None = None


def existing_owner(unit: Unit, caller: Caller, target: ObjectTarget) -> ObjectOwner:
    """Find the pipeline or run that is meant. Raises `InvalidInput`, `PermissionDenied` and `NotFound`."""
    pipeline = pipeline_key(unit, caller, Target(namespace=target.namespace, pipeline=target.pipeline))
    unit.pipelines.get(pipeline)
    if target.run is None:
        return ObjectOwner(pipeline=pipeline)
    if target.run < 0:
        raise InvalidInput("run_id is negative: run ids count from 1, and 0 is the newest run")
    run = RunId(target.run) or unit.objects.newest_run(pipeline)
    if run is None:
        raise NotFound(
            f"pipeline {pipeline} has no runs yet; `gofer run start {pipeline.pipeline}` starts one",
            namespace=pipeline.namespace,
            pipeline=pipeline.pipeline,
        )
    unit.runs.get_run(RunKey(namespace=pipeline.namespace, pipeline=pipeline.pipeline, run=run))
    return ObjectOwner(pipeline=pipeline, run=run)


def is_expired(unit: Unit, owner: ObjectOwner, limits: ObjectLimits) -> bool:
    """Whether the objects of a run are gone: it has ended, and so many newer runs have been started.

    They don't come back where the settings would keep them longer now.
    """
    if owner.run is None:
        return False
    key = RunKey(namespace=owner.pipeline.namespace, pipeline=owner.pipeline.pipeline, run=owner.run)
    run = unit.runs.get_run(key)
    if run.objects_expired:
        return True
    newest = unit.objects.newest_run(owner.pipeline) or owner.run
    return newest - owner.run >= limits.run_expiry and run.state.is_terminal


def check_not_expired(unit: Unit, owner: ObjectOwner, limits: ObjectLimits) -> None:
    """Raise `NotFound` where the objects of a run are gone."""
    if is_expired(unit, owner, limits):
        raise NotFound(_expired_words(owner, limits), run=str(owner))


def check_may_put(
    unit: Unit, owner: ObjectOwner, key: str, *, force: bool, limits: ObjectLimits
) -> ObjectRecord | None:
    """Give the object that would be replaced, if there is one.

    Raises `AlreadyExists` without `force`, `FailedPrecondition` where the run's objects are gone, and `LimitReached`
    where a run has too many.
    """
    unit.pipelines.get_kept(owner.pipeline)
    if is_expired(unit, owner, limits):
        raise FailedPrecondition(f"{_expired_words(owner, limits)}: put it on a newer run, or on the pipeline")
    there = unit.objects.find(owner, key)
    if there is not None and not force:
        raise AlreadyExists(
            f"{owner} has an object {quoted(key)} already; replace it with --force, or choose another key",
            namespace=owner.pipeline.namespace,
            pipeline=owner.pipeline.pipeline,
            key=key,
        )
    if there is None and owner.run is not None and unit.objects.count(owner) >= MAX_RUN_OBJECTS:
        raise LimitReached(f"{owner} has {MAX_RUN_OBJECTS:,} objects, the most that one can have: delete some first")
    return there


def evict(unit: Unit, owner: ObjectOwner, records: Iterable[ObjectRecord]) -> tuple[ObjectRecord, ...]:
    """Forget objects of a pipeline, tell of each, and give them: their content is to go after the commit.

    What was deleted or replaced since the records were read is left alone.
    """
    evicted = tuple(each for each in records if unit.objects.find(owner, each.key) == each)
    for each in evicted:
        unit.objects.delete(owner, each.key)
        unit.record(
            EvictedPipelineObject(
                namespace_id=owner.pipeline.namespace, pipeline_id=owner.pipeline.pipeline, key=each.key
            )
        )
    return evicted


def too_large(key: str, limits: ObjectLimits) -> LimitReached:
    """Say that an object is larger than the settings allow."""
    return LimitReached(
        f"the object {quoted(key)} has more than {limits.size_bytes:,} bytes, the most that this server keeps as one: "
        "its administrator can raise object_store.object_size_limit_bytes",
        key=key,
        limit_bytes=limits.size_bytes,
    )


def _expired_words(owner: ObjectOwner, limits: ObjectLimits) -> str:
    return f"the objects of {owner} are gone: it has ended and is {limits.run_expiry} runs old"
