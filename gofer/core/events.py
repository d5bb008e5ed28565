"""Events: what has become true, in the past tense, small and self-contained.

The kind names and the names of the JSON details are the wire's and never change. `details()` gives the JSON object of
an event in the order of its fields. Ids in events are the server's own; they never embed domain objects or secrets.
"""

from collections.abc import KeysView, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar

from gofer.core.ids import EventId, NamespaceId, PipelineId, RunId, TaskId, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""

    kind: ClassVar[str] = ""

    def details(self) -> dict[str, str | int]:
        """Give the event's fields as the JSON object that clients see."""
        return {name: getattr(self, name) for name in FIELD_NAMES[self.kind]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A stored event: `id` is strictly increasing in commit order and is the cursor to resume after."""

    id: EventId
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceCreated(Event):
    """A namespace was made."""

    kind = "NAMESPACE_CREATED"
    namespace_id: NamespaceId


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceDeletionRequested(Event):
    """Somebody wants a namespace deleted; it takes no new work (an event of ours)."""

    kind = "NAMESPACE_DELETION_REQUESTED"
    namespace_id: NamespaceId


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceDeleted(Event):
    """A namespace is gone, with all that was in it."""

    kind = "NAMESPACE_DELETED"
    namespace_id: NamespaceId


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEvent(Event):
    """Anything about one pipeline."""

    namespace_id: NamespaceId
    pipeline_id: PipelineId


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRegistered(PipelineEvent):
    """The first version of a pipeline was registered."""

    kind = "PIPELINE_REGISTERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfigRegistered(PipelineEvent):
    """A version of a pipeline was registered."""

    kind = "PIPELINE_CONFIG_REGISTERED"
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfigDeleted(PipelineEvent):
    """A version of a pipeline was deleted, by a user or because newer ones took its place."""

    kind = "PIPELINE_CONFIG_DELETED"
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEnabled(PipelineEvent):
    """Runs of the pipeline may start again."""

    kind = "PIPELINE_ENABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDisabled(PipelineEvent):
    """No run of the pipeline may start."""

    kind = "PIPELINE_DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDeployStarted(PipelineEvent):
    """A deployment began."""

    kind = "PIPELINE_DEPLOY_STARTED"
    start_version: Version
    end_version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDeployCompleted(PipelineEvent):
    """A deployment ended and its version is live."""

    kind = "PIPELINE_DEPLOY_COMPLETED"
    start_version: Version
    end_version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDeletionRequested(PipelineEvent):
    """Somebody wants a pipeline deleted; it takes no new work, and its runs are cancelled (an event of ours)."""

    kind = "PIPELINE_DELETION_REQUESTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDeleted(PipelineEvent):
    """A pipeline is gone, with all that belonged to it."""

    kind = "PIPELINE_DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictedPipelineObject(PipelineEvent):
    """A pipeline had one object too many, and its oldest was removed."""

    kind = "EVICTED_PIPELINE_OBJECT"
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(PipelineEvent):
    """Anything about one run."""

    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run was stored and queued; its tasks have not begun."""

    kind = "RUN_STARTED"
    initiator_type: str
    initiator_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdmitted(RunEvent):
    """A run left the queue and its task runs exist (an event of ours, unknown to 0.6 clients)."""

    kind = "RUN_ADMITTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelRequested(RunEvent):
    """A cancel of a run was stored (an event of ours)."""

    kind = "RUN_CANCEL_REQUESTED"
    force: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRepairRequested(RunEvent):
    """Somebody wants a run looked after that may have been forgotten (an event of ours)."""

    kind = "RUN_REPAIR_REQUESTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompleted(RunEvent):
    """A run ended; `status` is SUCCESSFUL, FAILED or CANCELLED."""

    kind = "RUN_COMPLETED"
    status: str
    initiator_type: str
    initiator_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObjectsExpired(RunEvent):
    """A run became too old to keep its objects; they are gone, if it had any."""

    kind = "RUN_OBJECTS_EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunEvent(RunEvent):
    """Anything about one task run."""

    task_run_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunCreated(TaskRunEvent):
    """A task run exists and waits for its parents."""

    kind = "TASKRUN_CREATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunStarted(TaskRunEvent):
    """A task run's container started."""

    kind = "TASKRUN_STARTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunCancelRequested(TaskRunEvent):
    """A cancel of a task run was stored (an event of ours)."""

    kind = "TASKRUN_CANCEL_REQUESTED"
    force: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunCompleted(TaskRunEvent):
    """A task run ended; `status` is SUCCESSFUL, FAILED, CANCELLED or SKIPPED."""

    kind = "TASKRUN_COMPLETED"
    status: str


def _concrete(base: type[Event]) -> dict[str, type[Event]]:
    found = {base.kind: base} if base.kind else {}
    for child in base.__subclasses__():
        found |= _concrete(child)
    return found


EVENT_CLASSES: Mapping[str, type[Event]] = _concrete(Event)
"""Every event class by its kind name."""
FIELD_NAMES: Mapping[str, KeysView[str]] = {
    kind: dict.fromkeys(field.name for field in fields(each)).keys() for kind, each in EVENT_CLASSES.items()
}
"""The fields of each, in their order; equal to any set of the same."""
