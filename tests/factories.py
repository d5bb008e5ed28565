"""Values that are valid by default; a test names only what it is about."""

# ruff: noqa: ANN401 - a factory passes on whatever fields a test names; their class checks them

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from gofer.core.run import Initiator, InitiatorType, Plan, Progress, Run, RunState, TaskRun, TaskState

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


def make_tasks(graph: Mapping[str, Sequence[str] | Mapping[str, Requirement]]) -> tuple[Task, ...]:
    """Make one task per entry of task -> parents; a parent without a requirement is wanted SUCCESSFUL."""
    return tuple(make_task(name, depends_on=_needs(parents)) for name, parents in graph.items())


def _needs(parents: Sequence[str] | Mapping[str, Requirement]) -> dict[TaskId, Requirement]:
    if isinstance(parents, Mapping):
        return {TaskId(parent): requirement for parent, requirement in parents.items()}
    return {TaskId(parent): Requirement.SUCCESS for parent in parents}


def make_plan(
    graph: Mapping[str, Sequence[str] | Mapping[str, Requirement]],
    *,
    run: Run | None = None,
    timeout: timedelta | None = None,
    **changes: Any,
) -> Plan:
    """Make the plan of a run of this graph; `timeout` is each task's, `deadline` and the like go in by keyword."""
    tasks = tuple(replace(task, timeout=timeout) for task in make_tasks(graph))
    return replace(Plan.of(run or make_run(), tasks, engine="memory"), **changes)


def make_progress(plan: Plan, *task_runs: TaskRun, run: Run | None = None) -> Progress:
    """Make the progress of a run that is queued (without task runs) or under way (with them)."""
    state = RunState.RUNNING if task_runs else RunState.PENDING
    found = run or make_run(plan.key.run, state=state, admitted_at=NOW if task_runs else None)
    return Progress.of(plan, found, {task_run.id: task_run for task_run in task_runs})


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
