"""What may happen: the tables of the run machine, states by what befalls them.

`gofer.core.machine` tells the theory and is the only one to act by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from gofer.core.errors import IllegalTransition
from gofer.core.run import Run, RunState, TaskRun, TaskState
from gofer.core.step import (
    Admitted,
    CancelRequested,
    DeadlinePassed,
    InternalFault,
    LaunchFailed,
    Signal,
    TaskCancelRequested,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskStarted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsEnded:
    """The machine's own cause: the last parent of a waiting task has ended, or it has none and the run is admitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksEnded:
    """The machine's own cause: the last task run of a run has ended."""


Cause: TypeAlias = Signal | ParentsEnded | TasksEnded
TaskTable: TypeAlias = Mapping[TaskState, Mapping[type[Cause], tuple[TaskState, ...]]]
RunTable: TypeAlias = Mapping[RunState, Mapping[type[Cause], tuple[RunState, ...]]]

_TASK_SIGNALS: Final = (TaskStarted, LaunchFailed, TaskExited, TaskLost, TaskCancelRequested, TaskDeadlinePassed)
_STOPS_OF_RUN: Final = (CancelRequested, DeadlinePassed, InternalFault)


def _tasks_to(state: TaskState, *causes: type[Cause]) -> dict[type[Cause], tuple[TaskState, ...]]:
    return dict.fromkeys(causes, (state,))


def _runs_to(state: RunState, *causes: type[Cause]) -> dict[type[Cause], tuple[RunState, ...]]:
    return dict.fromkeys(causes, (state,))


TASK_TRANSITIONS: Final[TaskTable] = {
    TaskState.PENDING: {
        ParentsEnded: (TaskState.STARTING, TaskState.SKIPPED, TaskState.CANCELLED),
        **_tasks_to(TaskState.CANCELLED, TaskCancelRequested, *_STOPS_OF_RUN),
    },
    TaskState.STARTING: {
        TaskStarted: (TaskState.RUNNING,),
        TaskExited: (TaskState.SUCCEEDED, TaskState.FAILED),
        **_tasks_to(TaskState.FAILED, LaunchFailed, TaskLost),
        **_tasks_to(TaskState.STOPPING, TaskCancelRequested, *_STOPS_OF_RUN),
    },
    TaskState.RUNNING: {
        TaskStarted: (TaskState.RUNNING,),
        TaskExited: (TaskState.SUCCEEDED, TaskState.FAILED),
        TaskLost: (TaskState.FAILED,),
        **_tasks_to(TaskState.STOPPING, TaskCancelRequested, TaskDeadlinePassed, *_STOPS_OF_RUN),
    },
    TaskState.STOPPING: {
        **_tasks_to(TaskState.STOPPING, TaskStarted, TaskCancelRequested, TaskDeadlinePassed, *_STOPS_OF_RUN),
        TaskExited: (TaskState.CANCELLED, TaskState.FAILED, TaskState.SUCCEEDED),
        LaunchFailed: (TaskState.CANCELLED, TaskState.FAILED),
        TaskLost: (TaskState.CANCELLED, TaskState.FAILED),
    },
    TaskState.SUCCEEDED: _tasks_to(TaskState.SUCCEEDED, *_TASK_SIGNALS, *_STOPS_OF_RUN),
    TaskState.FAILED: _tasks_to(TaskState.FAILED, *_TASK_SIGNALS, *_STOPS_OF_RUN),
    TaskState.CANCELLED: _tasks_to(TaskState.CANCELLED, *_TASK_SIGNALS, *_STOPS_OF_RUN),
    TaskState.SKIPPED: _tasks_to(TaskState.SKIPPED, *_TASK_SIGNALS, *_STOPS_OF_RUN),
}
"""Which states a cause may bring a task run to; a missing cause is illegal."""

RUN_TRANSITIONS: Final[RunTable] = {
    RunState.PENDING: {
        Admitted: (RunState.RUNNING,),
        CancelRequested: (RunState.CANCELLED,),
        InternalFault: (RunState.FAILED,),
    },
    RunState.RUNNING: {
        **_runs_to(RunState.RUNNING, Admitted, *_TASK_SIGNALS, *_STOPS_OF_RUN),
        TasksEnded: (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED),
    },
    RunState.SUCCEEDED: _runs_to(RunState.SUCCEEDED, Admitted, *_TASK_SIGNALS, *_STOPS_OF_RUN),
    RunState.FAILED: _runs_to(RunState.FAILED, Admitted, *_TASK_SIGNALS, *_STOPS_OF_RUN),
    RunState.CANCELLED: _runs_to(RunState.CANCELLED, Admitted, *_TASK_SIGNALS, *_STOPS_OF_RUN),
}
"""Which states a cause may bring a run to; a missing cause is illegal."""


def check_task(task_run: TaskRun, cause: type[Cause], to: TaskState | None = None) -> None:
    """Raise `IllegalTransition` unless the cause may come now and may bring the task run to `to` (None: wherever)."""
    allowed = TASK_TRANSITIONS[task_run.state].get(cause)
    if allowed is None or (to is not None and to not in allowed):
        raise illegal(f"the task run {task_run.key}", task_run.state, cause)


def check_run(run: Run, cause: type[Cause], to: RunState | None = None) -> None:
    """Raise `IllegalTransition` unless the cause may come now and may bring the run to `to` (None: wherever)."""
    allowed = RUN_TRANSITIONS[run.state].get(cause)
    if allowed is None or (to is not None and to not in allowed):
        raise illegal(f"the run {run.key}", run.state, cause)


def illegal(what: str, state: TaskState | RunState, cause: type[Cause]) -> IllegalTransition:
    """Make the error that says what can't happen now."""
    return IllegalTransition(f"{what} is {state} and takes no {cause.__name__}", state=state, signal=cause.__name__)
