"""Which outcome follows from which, of a task, of what waits for it, and of a run; and how events tell of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from gofer.core.events import RunAdmitted, RunCompleted, TaskRunCompleted, TaskRunCreated, TaskRunStarted
from gofer.core.ids import TaskId
from gofer.core.pipeline import Requirement, Task
from gofer.core.run import Plan, Progress, Reason, ReasonCode, Run, RunState, TaskRun, TaskState
from gofer.core.step import TaskExited
from gofer.core.times import TICK
from gofer_sdk.rules.durations import format_duration

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
ORPHANED: Final = Reason(code=ReasonCode.ORPHANED, description="the engine does not know the container any more")

_AboutTaskRun = TypeVar("_AboutTaskRun", TaskRunCreated, TaskRunStarted)


def exit_outcome(exit_code: int) -> tuple[TaskState, Reason | None]:
    """Judge a task that ended by itself."""
    if exit_code == 0:
        return TaskState.SUCCEEDED, None
    return TaskState.FAILED, Reason(code=ReasonCode.ABNORMAL_EXIT, description=f"the container exited with {exit_code}")


def stopped_outcome(stopping: TaskRun) -> TaskState:
    """Judge a task whose stop was committed before its end: why it was stopped decides, its exit code does not."""
    return TaskState.FAILED if _is_timeout(stopping.reason) else TaskState.CANCELLED


def begin_of(plan: Plan, progress: Progress, task_run: TaskRun, told: datetime | None) -> datetime | None:
    """Give when a task began, as its engine tells it; what a coarse clock tells a tick before it was due is put right.

    It was due when it was made and all of its parents had ended. A clock that is further behind is told as it is.
    """
    if told is None:
        return None
    parents = (progress.task_runs[parent].ended_at for parent in plan.tasks[task_run.id].depends_on)
    due = max([task_run.created_at, *(ended_at for ended_at in parents if ended_at is not None)])
    return due if due - TICK <= told < due else told


def ended_in_time(plan: Plan, run: Run, stopping: TaskRun, exited: TaskExited) -> bool:
    """Tell whether a task had ended before the deadline that is stopping it: its engine may be heard of late.

    How long it ran is told by the engine's clock alone, which need not agree with ours. When it began is too, unless
    that clock is clearly wrong: nothing begins before its run is admitted, or after it was heard of.
    """
    if not _is_timeout(stopping.reason) or exited.started_at is None or exited.ended_at is None:
        return False
    took = exited.ended_at - exited.started_at
    timeout = plan.tasks[stopping.id].timeout
    if timeout is not None and took >= timeout:
        return False
    admitted_at = run.admitted_at
    if plan.deadline is None or admitted_at is None:
        return True
    told = (exited.started_at, stopping.started_at)
    began = [began_at for began_at in told if began_at is not None and began_at >= admitted_at]
    return bool(began) and min(began) + took < admitted_at + plan.deadline


def task_timed_out(task: Task) -> Reason:
    """Say that a task ran longer than it may."""
    return Reason(code=ReasonCode.TIMED_OUT, description=f"the task ran longer than {_told(task.timeout)}")


def run_timed_out(plan: Plan) -> Reason:
    """Say that a run took longer than it may."""
    return Reason(code=ReasonCode.TIMED_OUT, description=f"the run took longer than {_told(plan.deadline)}")


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


def run_outcome(plan: Plan, progress: Progress) -> tuple[RunState, Reason | None]:
    """Judge a run all of whose tasks have ended, from its counters and from why it was stopped, if it was."""
    verdict = progress.run.reason
    if _is_timeout(verdict) and not _was_late(plan, progress):
        verdict = None
    if verdict is not None and verdict.code is not ReasonCode.CANCELLED:
        return RunState.FAILED, verdict
    if progress.failed:
        told = f"{progress.failed} of {len(progress.children)} tasks failed"
        return RunState.FAILED, Reason(code=ReasonCode.ABNORMAL_EXIT, description=told)
    if progress.cancelled:
        told = f"{progress.cancelled} of {len(progress.children)} tasks were cancelled"
        return RunState.CANCELLED, verdict or Reason(code=ReasonCode.TASK_CANCELLED, description=told)
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


def _is_timeout(reason: Reason | None) -> bool:
    return reason is not None and reason.code is ReasonCode.TIMED_OUT


def _was_late(plan: Plan, progress: Progress) -> bool:
    """Tell whether the run's deadline stopped anything, or found a task that somebody else was stopping."""
    limit = _after(progress.run.admitted_at, plan.deadline)
    return limit is None or any(
        task_run.reason == progress.run.reason
        or (task_run.state is TaskState.CANCELLED and task_run.ended_at is not None and task_run.ended_at >= limit)
        for task_run in progress.task_runs.values()
    )


def _after(begin: datetime | None, limit: timedelta | None) -> datetime | None:
    return None if begin is None or limit is None else begin + limit


def _told(limit: timedelta | None) -> str:
    return "it may" if limit is None else f"its timeout of {format_duration(limit)}"
