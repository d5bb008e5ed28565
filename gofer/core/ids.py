"""Identifiers: plain strings and numbers under names of their own, and the keys made of them.

No key is ever joined by a character that one of its parts may hold: parts are letters, digits and underscores, and
`/` or `.` separates them where a text is needed.
"""

from dataclasses import dataclass
from typing import NewType

NamespaceId = NewType("NamespaceId", str)
PipelineId = NewType("PipelineId", str)
TaskId = NewType("TaskId", str)
RunId = NewType("RunId", int)
Version = NewType("Version", int)
DeploymentId = NewType("DeploymentId", int)
EventId = NewType("EventId", int)
InstanceId = NewType("InstanceId", str)
"""Tells the servers apart that share one engine: made once per data folder."""

BlobId = NewType("BlobId", str)
"""Names what a store keeps: made afresh for each value that is put, and told to nobody outside."""

DEFAULT_NAMESPACE = NamespaceId("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineKey:
    """Names one pipeline of the server."""

    namespace: NamespaceId
    pipeline: PipelineId

    def __str__(self) -> str:
        """Give `namespace/pipeline`, for people and logs."""
        return f"{self.namespace}/{self.pipeline}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """Names one run of the server."""

    namespace: NamespaceId
    pipeline: PipelineId
    run: RunId

    @property
    def of_pipeline(self) -> PipelineKey:
        """The pipeline that the run belongs to."""
        return PipelineKey(namespace=self.namespace, pipeline=self.pipeline)

    def task(self, task: TaskId) -> "TaskRunKey":
        """Name one of the run's task runs."""
        return TaskRunKey(namespace=self.namespace, pipeline=self.pipeline, run=self.run, task=task)

    def __str__(self) -> str:
        """Give `namespace/pipeline/run`, for people and logs."""
        return f"{self.namespace}/{self.pipeline}/{self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunKey:
    """Names one task run of the server; the task run's id is its task's."""

    namespace: NamespaceId
    pipeline: PipelineId
    run: RunId
    task: TaskId

    @property
    def of_run(self) -> RunKey:
        """The run that the task run belongs to."""
        return RunKey(namespace=self.namespace, pipeline=self.pipeline, run=self.run)

    def __str__(self) -> str:
        """Give `namespace/pipeline/run/task`, for people and logs."""
        return f"{self.namespace}/{self.pipeline}/{self.run}/{self.task}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptId:
    """The idempotency key of a launch: one attempt to run a task of a run, committed before an engine hears of it."""

    key: TaskRunKey
    number: int
    instance: InstanceId

    def __str__(self) -> str:
        """Give `instance/namespace/pipeline/run/task/number`, for labels, people and logs."""
        return f"{self.instance}/{self.key}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobKey:
    """Names a value in a store, which several servers may share."""

    instance: InstanceId
    blob: BlobId
