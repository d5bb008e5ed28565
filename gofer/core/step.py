"""What goes into the run machine and what comes out: signals, effects, changes, and the step that holds them.

Signals tell what has happened, in the past tense. Effects are what the shell must do because of it, in the imperative.
Changes are the rows that become different. All are plain values; `gofer.core.machine` turns the one into the others.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gofer.core.events import Event
from gofer.core.ids import TaskId
from gofer.core.pipeline import RegistryAuth
from gofer.core.run import Plan, Reason, Run, StopRequest, TaskRun

# ---------------------------------------------------------------- signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The run left the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The task's container runs; `at_engine` is the engine's own time of the start where it knows it."""

    task: TaskId
    at_engine: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """The task's container never ran and never will: the engine refused it, or something it needs is missing."""

    task: TaskId
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExited:
    """The task's container has ended; all of its output is on disk. Times are the engine's where it knows them.

    It may come without a `TaskStarted` before it: the start was adopted after a restart, or its reply was lost.
    `silent` says that it wrote nothing, and that there is no log file.
    """

    task: TaskId
    exit_code: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLost:
    """The engine answers that it does not know the task's attempt any more; nothing else means this."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelRequested:
    """A user asked for one task to be cancelled, and the request is stored."""

    task: TaskId
    request: StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeadlinePassed:
    """The time that the task may run is over."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """A user asked for the run to be cancelled, and the request is stored (or is stored with this very step)."""

    request: StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The time that the run may take is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalFault:
    """The part of the server that drives the run failed in a way that nobody foresaw; the sentence is for users."""

    description: str


TaskSignal: TypeAlias = TaskStarted | LaunchFailed | TaskExited | TaskLost | TaskCancelRequested | TaskDeadlinePassed
Signal: TypeAlias = Admitted | TaskSignal | CancelRequested | DeadlinePassed | InternalFault

# ---------------------------------------------------------------- effects


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredImage:
    """An image that a run needs, and what opens its registry."""

    name: str
    registry_auth: RegistryAuth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureImages:
    """Get these images ready ahead of the launches; a failure here is told by the launch that needs the image."""

    images: tuple[RequiredImage, ...]

    @classmethod
    def of(cls, plan: Plan) -> "EnsureImages":
        """Name each image of the plan once, in the order of its tasks."""
        needed = (RequiredImage(name=task.image, registry_auth=task.registry_auth) for task in plan.tasks.values())
        return cls(images=tuple(dict.fromkeys(needed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTask:
    """Bring the attempt to its end, from whatever an engine already knows of it, and report what happens."""

    task: TaskId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptTask:
    """Watch an attempt that an earlier process launched; never create it. Unknown to its engine: `TaskLost`."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTask:
    """End the attempt: what is launching gives up at once, what runs is asked to end, or killed by `force`."""

    task: TaskId
    force: bool

    @classmethod
    def of(cls, stopping: TaskRun) -> "StopTask":
        """Stop as the strongest request says that the row holds."""
        return cls(task=stopping.id, force=stopping.stop_request is not None and stopping.stop_request.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDeadline:
    """Post `DeadlinePassed` at this time, at once where it is past."""

    at: datetime

    @classmethod
    def of(cls, plan: Plan, run: Run) -> "tuple[ArmDeadline, ...]":
        """Count from the run's admission; nothing where the plan sets no limit."""
        if plan.deadline is None or run.admitted_at is None:
            return ()
        return (cls(at=run.admitted_at + plan.deadline),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTaskDeadline:
    """Post `TaskDeadlinePassed` at this time, at once where it is past; nothing once the task run has ended."""

    task: TaskId
    at: datetime

    @classmethod
    def of(cls, plan: Plan, running: TaskRun) -> "tuple[ArmTaskDeadline, ...]":
        """Count from the start of the container; nothing where the task has no limit."""
        timeout = plan.tasks[running.id].timeout
        if timeout is None or running.started_at is None:
            return ()
        return (cls(task=running.id, at=running.started_at + timeout),)


Effect: TypeAlias = EnsureImages | LaunchTask | AdoptTask | StopTask | ArmDeadline | ArmTaskDeadline

# ---------------------------------------------------------------- changes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanged:
    """The run's row becomes this."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunChanged:
    """A task run's row becomes this; it is new where the run was not admitted before."""

    task_run: TaskRun


Change: TypeAlias = RunChanged | TaskRunChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one signal does. Changes (the run's first) and events are stored in one commit, effects follow it."""

    changes: tuple[Change, ...] = ()
    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()
