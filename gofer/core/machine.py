"""The run machine: the only place where the state of a run or of a task run changes.

Theory
======

A *signal* says what has happened. `decide` is a pure function from the plan, the progress so far and one signal to a
*step*: the rows that become different, the events that have become true, and the effects that the shell must carry out.
The shell is one actor per run. It stores changes and events in one commit, then calls `apply`, then starts the effects;
each effect ends in a signal again. Nothing else changes a state, so that everything that is true of these few tables is
true of every run.

Two tables say what may happen. A key that is missing from them is a fault of the shell and raises `IllegalTransition`.
An entry that keeps the state is there on purpose: signals may come late, and more than once (a container that exits
after it was given up, a start that is adopted twice), and are absorbed. Two causes are the machine's own: `ParentsEnded`
moves a waiting task, `TasksEnded` ends a run; both happen inside the step of the signal that made them true, so that no
task is ever ready and waiting in what is stored.

What the machine promises, whatever order signals come in:

* A task starts only after all of its parents have ended, and only where each end satisfies what it requires of it.
* STARTING and the number of the attempt are committed before any engine hears of the task. The number is what makes a
  launch safe to repeat: after a crash `resume` asks for it again, and the engine is asked first what it knows of it.
* STOPPING is committed before anything is stopped. What ends after that ended because of the stop, whatever its exit
  code: CANCELLED, or FAILED where it was the deadline that stopped it. Why is kept as the reason of the row meanwhile.
* The first stop of a run decides what it was stopped for. A stored cancel that the actor has not heard of yet counts as
  one: it is applied before any other signal.
* A run ends in the step in which its last task run ends, never while an engine may hold a container of it.
* What has ended stays as it is.

`decide` looks at the task of the signal and at its children; a child's parents are looked at once, when the last of
them has ended. Only admission and the stop of a whole run touch all tasks. It works on an overlay, so that the progress
stays as it is until the commit is done.
"""

from collections import ChainMap, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias, assert_never

from gofer.core import events
from gofer.core.errors import IllegalTransition, NotFound
from gofer.core.ids import TaskId
from gofer.core.outcome import (
    STATUS_OF_RUN,
    STATUS_OF_TASK,
    exit_outcome,
    run_outcome,
    stopped_outcome,
    unmet_requirement,
)
from gofer.core.run import Plan, Progress, Reason, ReasonCode, Run, RunState, StopRequest, TaskRun, TaskState
from gofer.core.step import (
    AdoptTask,
    Admitted,
    ArmDeadline,
    CancelRequested,
    Change,
    DeadlinePassed,
    Effect,
    EnsureImages,
    InternalFault,
    LaunchFailed,
    LaunchTask,
    RequiredImage,
    RunChanged,
    Signal,
    Step,
    StopTask,
    TaskCancelRequested,
    TaskExited,
    TaskLost,
    TaskRunChanged,
    TaskStarted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsEnded:
    """The machine's own cause: the last parent of a waiting task has ended, or it has none and the run is admitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksEnded:
    """The machine's own cause: the last task run of a run has ended."""


Cause: TypeAlias = Signal | ParentsEnded | TasksEnded


def decide(plan: Plan, progress: Progress, signal: Signal, *, at: datetime) -> Step:
    """Say what a signal does. Pure: `progress` stays as it is until `apply`; `at` is now, for what has no better time.

    Raises `IllegalTransition` where the tables have no entry, and `NotFound` where the run has no such task.
    """
    raise NotImplementedError


def cancel_queued(run: Run, request: StopRequest, *, at: datetime) -> Step:
    """Say what a cancel does to a run that was not admitted: it ends at once. Raises `IllegalTransition` for others."""
    raise NotImplementedError


def apply(progress: Progress, changes: Iterable[Change]) -> None:
    """Make the progress what was committed. Called by its one owner after the commit, once for each step."""
    raise NotImplementedError


def resume(plan: Plan, progress: Progress) -> tuple[Effect, ...]:
    """Give the effects that are committed but perhaps not done, for an actor that starts from stored rows."""
    raise NotImplementedError


def stored_requests(progress: Progress) -> tuple[Signal, ...]:
    """Give the cancels that the rows hold and that may not be applied yet; posting one twice is harmless.

    An actor that starts, or that has loaded its rows again, posts these before anything else.
    """
    raise NotImplementedError
