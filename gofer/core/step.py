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
from gofer.core.run import Reason, Run, StopRequest, TaskRun

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
    """

    task: TaskId
    exit_code: int
    started_at: datetime | None = None
    ended_at: datetime | None = None


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


Signal: TypeAlias = (
    Admitted
    | TaskStarted
    | LaunchFailed
    | TaskExited
    | TaskLost
    | TaskCancelRequested
    | CancelRequested
    | DeadlinePassed
    | InternalFault
)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDeadline:
    """Post `DeadlinePassed` at this time, at once where it is past."""

    at: datetime


Effect: TypeAlias = EnsureImages | LaunchTask | AdoptTask | StopTask | ArmDeadline

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
