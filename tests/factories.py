"""Values that are valid by default; a test names only what it is about."""

# ruff: noqa: ANN401 - a factory passes on whatever fields a test names; their class checks them

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gofer.core.ids import (
    DeploymentId,
    NamespaceId,
    PipelineId,
    PipelineKey,
    RunId,
    RunKey,
    TaskId,
    Version,
)
from gofer.core.pipeline import (
    ConfigState,
    Deployment,
    DeploymentState,
    Namespace,
    Pipeline,
    PipelineConfig,
    PipelineState,
    Requirement,
    Task,
)
from gofer.core.run import Initiator, InitiatorType, Run, RunState, TaskRun, TaskState

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
NAMESPACE = NamespaceId("default")
PIPELINE = PipelineId("simple")
KEY = PipelineKey(namespace=NAMESPACE, pipeline=PIPELINE)
CLI = Initiator(type=InitiatorType.HUMAN, name="cli")


def run_key(run: int = 1, *, pipeline: str = PIPELINE, namespace: str = NAMESPACE) -> RunKey:
    return RunKey(namespace=NamespaceId(namespace), pipeline=PipelineId(pipeline), run=RunId(run))


def make_namespace(namespace: str = NAMESPACE, **changes: Any) -> Namespace:
    values: dict[str, Any] = {
        "id": NamespaceId(namespace),
        "name": namespace.title(),
        "description": "",
        "created_at": NOW,
        "modified_at": NOW,
    }
    return Namespace(**(values | changes))


def make_pipeline(pipeline: str = PIPELINE, **changes: Any) -> Pipeline:
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "id": PipelineId(pipeline),
        "state": PipelineState.ACTIVE,
        "created_at": NOW,
        "modified_at": NOW,
    }
    return Pipeline(**(values | changes))


def make_task(name: str = "hello", **changes: Any) -> Task:
    return Task(**({"id": TaskId(name), "image": "busybox:latest"} | changes))


def make_tasks(graph: Mapping[str, Sequence[str]]) -> tuple[Task, ...]:
    """Make one task per entry of task -> parents, each parent wanted SUCCESSFUL."""
    return tuple(
        make_task(name, depends_on={TaskId(parent): Requirement.SUCCESS for parent in parents})
        for name, parents in graph.items()
    )


def make_config(version: int = 1, **changes: Any) -> PipelineConfig:
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "pipeline": PIPELINE,
        "version": Version(version),
        "name": "Simple",
        "description": "",
        "parallelism": 0,
        "tasks": (make_task(),),
        "state": ConfigState.UNRELEASED,
        "registered_at": NOW,
        "deprecated_at": None,
    }
    return PipelineConfig(**(values | changes))


def make_deployment(number: int = 1, **changes: Any) -> Deployment:
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "pipeline": PIPELINE,
        "id": DeploymentId(number),
        "start_version": Version(1),
        "end_version": Version(1),
        "state": DeploymentState.SUCCEEDED,
        "reason": "",
        "started_at": NOW,
        "ended_at": NOW,
    }
    return Deployment(**(values | changes))


def make_run(number: int = 1, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "pipeline": PIPELINE,
        "id": RunId(number),
        "version": Version(1),
        "state": RunState.PENDING,
        "initiator": CLI,
        "created_at": NOW,
    }
    return Run(**(values | changes))


def make_task_run(name: str = "hello", **changes: Any) -> TaskRun:
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "pipeline": PIPELINE,
        "run": RunId(1),
        "id": TaskId(name),
        "state": TaskState.PENDING,
        "created_at": NOW,
    }
    return TaskRun(**(values | changes))
