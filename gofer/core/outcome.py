"""Which outcome follows from which, of a task, of what waits for it, and of a run; and how events tell of it."""

from collections.abc import Mapping
from typing import Final, TypeVar

from gofer.core.events import RunAdmitted, RunCompleted, TaskRunCompleted, TaskRunCreated, TaskRunStarted
from gofer.core.ids import TaskId
from gofer.core.pipeline import Requirement
from gofer.core.run import Plan, Progress, Reason, ReasonCode, Run, RunState, TaskRun, TaskState

SATISFIED_BY: Final[Mapping[Requirement, frozenset[TaskState]]] = {
    Requirement.ANY: frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED}),
    Requirement.SUCCESS: frozenset({TaskState.SUCCEEDED}),
    Requirement.FAILURE: frozenset({TaskState.FAILED}),
}
"""Which ends of a parent satisfy a requirement. A cancelled parent satisfies none."""

STATUS_OF_TASK: Final[Mapping[TaskState, str]] = {
    TaskState.SUCCEEDED: "SUCCESSFUL",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "CANCELLED",
    TaskState.SKIPPED: "SKIPPED",
}
"""How events name the end of a task run."""

STATUS_OF_RUN: Final[Mapping[RunState, str]] = {
    RunState.SUCCEEDED: "SUCCESSFUL",
    RunState.FAILED: "FAILED",
    RunState.CANCELLED: "CANCELLED",
}
"""How events name the end of a run."""

CANCELLED_RUN: Final = Reason(code=ReasonCode.CANCELLED, description="the run was cancelled")
CANCELLED_TASK: Final = Reason(code=ReasonCode.CANCELLED, description="the task run was cancelled")
TIMED_OUT: Final = Reason(code=ReasonCode.TIMED_OUT, description="the run took longer than it may")
ORPHANED: Final = Reason(code=ReasonCode.ORPHANED, description="the engine does not know the container any more")

_AboutTaskRun = TypeVar("_AboutTaskRun", TaskRunCreated, TaskRunStarted)


def exit_outcome(exit_code: int) -> tuple[TaskState, Reason | None]:
    """Judge a task that ended by itself."""
    if exit_code == 0:
        return TaskState.SUCCEEDED, None
    return TaskState.FAILED, Reason(code=ReasonCode.ABNORMAL_EXIT, description=f"the container exited with {exit_code}")


def stopped_outcome(stopping: TaskRun) -> TaskState:
    """Judge a task whose stop was committed before its end: why it was stopped decides, its exit code does not."""
    timed_out = stopping.reason is not None and stopping.reason.code is ReasonCode.TIMED_OUT
    return TaskState.FAILED if timed_out else TaskState.CANCELLED


def unmet_requirement(plan: Plan, child: TaskId, task_runs: Mapping[TaskId, TaskRun]) -> Reason | None:
    """Say which parent keeps the child from running, or None if it may run. All of its parents have ended."""
    for parent, requirement in plan.tasks[child].depends_on.items():
        state = task_runs[parent].state
        if state not in SATISFIED_BY[requirement]:
            return Reason(
                code=ReasonCode.REQUIREMENT_UNMET,
                description=f"requires {requirement} of the task {parent}, which ended {STATUS_OF_TASK[state]}",
            )
    return None


def run_outcome(progress: Progress) -> tuple[RunState, Reason | None]:
    """Judge a run all of whose tasks have ended, from its counters and from why it was stopped, if it was."""
    verdict = progress.run.reason
    if verdict is not None and verdict.code is not ReasonCode.CANCELLED:
        return RunState.FAILED, verdict
    if progress.failed:
        told = f"{progress.failed} of {len(progress.children)} tasks failed"
        return RunState.FAILED, Reason(code=ReasonCode.ABNORMAL_EXIT, description=told)
    if verdict is not None:
        return RunState.CANCELLED, verdict
    if progress.cancelled:
        told = f"{progress.cancelled} of {len(progress.children)} tasks were cancelled"
        return RunState.CANCELLED, Reason(code=ReasonCode.TASK_CANCELLED, description=told)
    return RunState.SUCCEEDED, None


def run_admitted(run: Run) -> RunAdmitted:
    """Tell that a run left the queue."""
    return RunAdmitted(namespace_id=run.namespace, pipeline_id=run.pipeline, run_id=run.id)


def run_completed(run: Run) -> RunCompleted:
    """Tell that a run has ended."""
    return RunCompleted(
        namespace_id=run.namespace,
        pipeline_id=run.pipeline,
        run_id=run.id,
        status=STATUS_OF_RUN[run.state],
        initiator_type=run.initiator.type,
        initiator_name=run.initiator.name,
    )


def about_task_run(kind: type[_AboutTaskRun], task_run: TaskRun) -> _AboutTaskRun:
    """Tell that a task run exists, or that it has started."""
    return kind(
        namespace_id=task_run.namespace, pipeline_id=task_run.pipeline, run_id=task_run.run, task_run_id=task_run.id
    )


def task_run_completed(task_run: TaskRun) -> TaskRunCompleted:
    """Tell that a task run has ended."""
    return TaskRunCompleted(
        namespace_id=task_run.namespace,
        pipeline_id=task_run.pipeline,
        run_id=task_run.run,
        task_run_id=task_run.id,
        status=STATUS_OF_TASK[task_run.state],
    )
