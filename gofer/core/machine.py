"""The run machine: the only place where the state of a run or of a task run changes.

Theory
======

A *signal* says what has happened. `decide` is a pure function from the plan, the progress so far and one signal to a
*step*: the rows that become different, the events that have become true, and the effects that the shell must carry out.
The shell is one actor per run. It stores changes and events in one commit, then calls `apply`, then starts the effects;
each effect ends in a signal again. Nothing else changes a state, so that everything that is true of these few tables is
true of every run.

Two tables, in `gofer.core.transitions`, say what may happen. A key that is missing there is a fault of the shell and
raises `IllegalTransition`. An entry that keeps the state is there on purpose: signals may come late, and more than once
(a container that exits after it was given up, a start that is adopted twice), and are absorbed. Two causes are the
machine's own: `ParentsEnded` moves a waiting task, `TasksEnded` ends a run; both happen inside the step of the signal
that made them true, so that no task is ever ready and waiting in what is stored.

What the machine promises, whatever order signals come in:

* A task starts only after all of its parents have ended, and only where each end satisfies what it requires of it.
* STARTING and the number of the attempt are committed before any engine hears of the task. The number is what makes a
  launch safe to repeat: after a crash `resume` asks for it again, and the engine is asked first what it knows of it.
* STOPPING is committed before anything is stopped. What ends after that ended because of the stop, whatever its exit
  code: CANCELLED, or FAILED where it was a deadline that stopped it. Why is kept as the reason of the row meanwhile.
  Only a deadline stops nothing that had ended before it: what its engine tells late counts as it was.
* The first stop of a run decides what it was stopped for. A stored cancel that the actor has not heard of yet counts as
  one: it is applied before any other signal.
* A run ends in the step in which its last task run ends, never while an engine may hold a container of it.
* What has ended stays as it is.

`decide` looks at the task of the signal and at its children; a task's parents are looked at when the last of them has
ended, and when it is told to have begun. Only admission and the stop of a whole run touch all tasks. It works on an
overlay, so that the progress stays as it is until the commit is done.
"""

from collections import ChainMap, deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from gofer.core.errors import NotFound
from gofer.core.events import Event, TaskRunCreated, TaskRunStarted
from gofer.core.ids import TaskId
from gofer.core.outcome import (
    CANCELLED_RUN,
    CANCELLED_TASK,
    ORPHANED,
    about_task_run,
    begin_of,
    ended_in_time,
    exit_outcome,
    run_admitted,
    run_completed,
    run_outcome,
    run_timed_out,
    stopped_outcome,
    task_run_completed,
    task_timed_out,
    unmet_requirement,
)
from gofer.core.run import Plan, Progress, Reason, ReasonCode, Run, RunState, StopRequest, TaskRun, TaskState, stronger
from gofer.core.step import (
    Admitted,
    ArmDeadline,
    ArmTaskDeadline,
    CancelRequested,
    Change,
    DeadlinePassed,
    Effect,
    EnsureImages,
    InternalFault,
    LaunchFailed,
    LaunchTask,
    RunChanged,
    Signal,
    Step,
    StopTask,
    TaskCancelRequested,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskRunChanged,
    TaskSignal,
    TaskStarted,
)
from gofer.core.transitions import Cause, ParentsEnded, TasksEnded, check_run, check_task, illegal


def decide(plan: Plan, progress: Progress, *signals: Signal, at: datetime) -> Step:
    """Say what a signal does, or several one after the other, as one step.

    Pure: `progress` stays as it is until `apply`; `at` is now, for what has no better time. Raises `IllegalTransition`
    where the tables have no entry, and `NotFound` where the run has no such task.
    """
    draft = _Draft(plan, progress, at=at)
    stored = progress.run.stop_request
    if stored is not None and progress.run.reason is None:
        draft.take(CancelRequested(request=stored))
    for signal in signals:
        draft.take(signal)
        draft.fold()
    return draft.step()


def cancel_queued(run: Run, request: StopRequest, *, at: datetime) -> Step:
    """Say what a cancel does to a run that was not admitted: it ends at once. Raises `IllegalTransition` for others."""
    if run.state is not RunState.PENDING:
        raise illegal(f"the run {run.key}", run.state, CancelRequested)
    ended = replace(run, state=RunState.CANCELLED, reason=CANCELLED_RUN, stop_request=request, ended_at=at)
    return Step(changes=(RunChanged(run=ended),), events=(run_completed(ended),))


def apply(progress: Progress, changes: Iterable[Change]) -> None:
    """Make the progress what was committed. Called by its one owner after the commit, once for each step."""
    for change in changes:
        match change:
            case RunChanged():
                progress.run = change.run
            case TaskRunChanged():
                _put(progress, change.task_run)
            case _:
                assert_never(change)


class _Draft:
    """One step in the making, on an overlay of the progress."""

    def __init__(self, plan: Plan, progress: Progress, *, at: datetime) -> None:
        self._plan = plan
        self._at = at
        self._before = progress
        self._task_runs: dict[TaskId, TaskRun] = {}
        self._now = replace(
            progress,
            task_runs=ChainMap(self._task_runs, progress.task_runs),
            open_parents=ChainMap({}, progress.open_parents),
        )
        self._effects: list[Effect] = []
        self._events: list[Event] = []

    def take(self, signal: Signal) -> None:
        """Let one signal act on the run, or on one of its tasks and what waits for it."""
        run = self._now.run
        check_run(run, type(signal))
        if run.state.is_terminal:
            return
        match signal:
            case Admitted():
                self._admit()
            case CancelRequested():
                self._stop_run(CancelRequested, CANCELLED_RUN, signal.request)
            case DeadlinePassed():
                self._stop_run(DeadlinePassed, run_timed_out(self._plan))
            case InternalFault():
                self._stop_run(InternalFault, Reason(code=ReasonCode.INTERNAL_ERROR, description=signal.description))
            case _:
                self._take_of_task(signal)

    def fold(self) -> None:
        """End the run if its last task run has ended."""
        run = self._now.run
        if run.state is RunState.RUNNING and self._now.unfinished == 0:
            self._end_run(*run_outcome(self._plan, self._now), cause=TasksEnded)

    def step(self) -> Step:
        """Give what has come of it; nothing is done for a task or a run that has ended in the same step."""
        run = self._now.run
        changes: list[Change] = [] if run == self._before.run else [RunChanged(run=run)]
        changes += (TaskRunChanged(task_run=task_run) for task_run in self._task_runs.values())
        return Step(
            changes=tuple(changes),
            effects=tuple(dict.fromkeys(effect for effect in self._effects if self._is_due(effect))),
            events=tuple(self._events),
        )

    def _is_due(self, effect: Effect) -> bool:
        if isinstance(effect, EnsureImages | ArmDeadline):
            return not self._now.run.state.is_terminal
        return self._now.task_runs[effect.task].state.is_live

    # ------------------------------------------------------------ the run

    def _admit(self) -> None:
        if self._now.run.state is not RunState.PENDING:
            return
        run = replace(self._now.run, state=RunState.RUNNING, admitted_at=self._at)
        self._now.run = run
        self._events.append(run_admitted(run))
        for task in self._plan.tasks:
            self._create(task)
        self._effects.append(EnsureImages.of(self._plan))
        for task in self._plan.tasks:
            self._consider(task)
        self._effects += ArmDeadline.of(self._plan, run)

    def _stop_run(self, cause: type[Signal], reason: Reason, request: StopRequest | None = None) -> None:
        """Stop all that has not ended. The first stop decides why; after it, only force has more to say."""
        run = self._now.run
        if run.reason is not None and not (request is not None and request.force):
            return
        verdict = run.reason or reason
        self._now.run = replace(run, reason=verdict, stop_request=stronger(run.stop_request, request))
        if run.state is RunState.PENDING:
            state = RunState.CANCELLED if cause is CancelRequested else RunState.FAILED
            self._end_run(state, verdict, cause=cause)
            return
        for task in self._plan.tasks:
            self._stop_task(self._now.task_runs[task], cause, verdict, request)

    def _end_run(self, state: RunState, reason: Reason | None, *, cause: type[Cause]) -> None:
        check_run(self._now.run, cause, state)
        self._now.run = replace(self._now.run, state=state, reason=reason, ended_at=self._at)
        self._events.append(run_completed(self._now.run))

    # ------------------------------------------------------------ one task run

    def _take_of_task(self, signal: TaskSignal) -> None:
        task_run = self._now.task_runs.get(signal.task)
        if task_run is None:
            raise NotFound(f"there is no task run {self._now.run.key.task(signal.task)}", task=signal.task)
        stored = task_run.stop_request
        if stored is not None and task_run.state in {TaskState.STARTING, TaskState.RUNNING}:
            self._stop_task(task_run, TaskCancelRequested, CANCELLED_TASK, stored)
            task_run = self._now.task_runs[signal.task]
        check_task(task_run, type(signal))
        if task_run.state.is_terminal:
            return
        match signal:
            case TaskStarted():
                self._start(task_run, signal)
            case TaskExited():
                self._exit(task_run, signal)
            case LaunchFailed():
                self._give_up(task_run, LaunchFailed, signal.reason)
            case TaskLost():
                self._give_up(task_run, TaskLost, ORPHANED)
            case TaskCancelRequested():
                self._stop_task(task_run, TaskCancelRequested, CANCELLED_TASK, signal.request)
            case TaskDeadlinePassed():
                self._stop_task(task_run, TaskDeadlinePassed, task_timed_out(self._plan.tasks[signal.task]), None)
            case _:
                assert_never(signal)
        self._settle(signal.task)

    def _create(self, task: TaskId) -> None:
        key = self._now.run.key
        created = TaskRun(
            namespace=key.namespace,
            pipeline=key.pipeline,
            run=key.run,
            id=task,
            state=TaskState.PENDING,
            created_at=self._at,
        )
        _put(self._now, created)
        self._events.append(about_task_run(TaskRunCreated, created))

    def _start(self, task_run: TaskRun, signal: TaskStarted) -> None:
        if task_run.started_at is not None:
            return
        state = TaskState.RUNNING if task_run.state is TaskState.STARTING else task_run.state
        told = begin_of(self._plan, self._now, task_run, signal.at_engine)
        started = replace(task_run, state=state, started_at=told or self._at)
        self._move(started, TaskStarted)
        if state is TaskState.RUNNING:
            self._effects += ArmTaskDeadline.of(self._plan, started)
        self._events.append(about_task_run(TaskRunStarted, task_run))

    def _exit(self, task_run: TaskRun, signal: TaskExited) -> None:
        ended = signal.ended_at or self._at
        told = replace(signal, started_at=begin_of(self._plan, self._now, task_run, signal.started_at))
        started = told.started_at or task_run.started_at
        if started is None and task_run.state is TaskState.STARTING:
            started = min(self._at, ended)
        if started is not None and task_run.started_at is None:
            self._events.append(about_task_run(TaskRunStarted, task_run))
        state, reason = exit_outcome(signal.exit_code)
        if task_run.state is TaskState.STOPPING and not ended_in_time(self._plan, self._now.run, task_run, told):
            state, reason = stopped_outcome(task_run), task_run.reason
        self._end(
            replace(
                task_run,
                state=state,
                reason=reason,
                exit_code=signal.exit_code,
                silent=signal.silent,
                started_at=started,
                # Two clocks may disagree; an end before its start helps nobody.
                ended_at=ended if started is None else max(ended, started),
            ),
            TaskExited,
        )

    def _give_up(self, task_run: TaskRun, cause: type[Signal], reason: Reason) -> None:
        """End a task run that has no exit code to show."""
        if task_run.state is TaskState.STOPPING:
            self._end(replace(task_run, state=stopped_outcome(task_run), ended_at=self._at), cause)
        else:
            self._end(replace(task_run, state=TaskState.FAILED, reason=reason, ended_at=self._at), cause)

    def _stop_task(self, task_run: TaskRun, cause: type[Signal], reason: Reason, request: StopRequest | None) -> None:
        check_task(task_run, cause)
        why = reason if task_run.stop_request is None else CANCELLED_TASK
        asked = replace(task_run, stop_request=stronger(task_run.stop_request, request))
        match task_run.state:
            case TaskState.PENDING:
                self._end(replace(asked, state=TaskState.CANCELLED, reason=why, ended_at=self._at), cause)
            case TaskState.STARTING | TaskState.RUNNING:
                self._move(replace(asked, state=TaskState.STOPPING, reason=why), cause)
                self._effects.append(StopTask.of(asked))
            case TaskState.STOPPING if request is not None and request.force:
                self._move(asked, cause)
                self._effects.append(StopTask.of(asked))
            case _:
                pass

    # ------------------------------------------------------------ what waits

    def _settle(self, task: TaskId) -> None:
        """Move what waited for a task that may have ended, and what waits for that in turn; a loop, no recursion."""
        ended = deque([task] if self._now.task_runs[task].state.is_terminal else [])
        while ended:
            for child in self._plan.children[ended.popleft()]:
                if self._consider(child):
                    ended.append(child)

    def _consider(self, task: TaskId) -> bool:
        """Start a waiting task, or end it and say so, if all of its parents have ended."""
        task_run = self._now.task_runs[task]
        if task_run.state is not TaskState.PENDING or self._now.open_parents[task]:
            return False
        if task_run.stop_request is not None:
            cancelled = replace(task_run, state=TaskState.CANCELLED, reason=CANCELLED_TASK, ended_at=self._at)
            self._end(cancelled, ParentsEnded)
            return True
        unmet = unmet_requirement(self._plan, task, self._now.task_runs)
        if unmet is not None:
            self._end(replace(task_run, state=TaskState.SKIPPED, reason=unmet, ended_at=self._at), ParentsEnded)
            return True
        attempt = task_run.attempt + 1
        if not self._now.run.engine:
            self._now.run = replace(self._now.run, engine=self._plan.engine)
        self._move(replace(task_run, state=TaskState.STARTING, attempt=attempt, engine=self._plan.engine), ParentsEnded)
        self._effects.append(LaunchTask(task=task, attempt=attempt))
        return False

    def _end(self, task_run: TaskRun, cause: type[Cause]) -> None:
        self._move(task_run, cause)
        self._events.append(task_run_completed(task_run))

    def _move(self, task_run: TaskRun, cause: type[Cause]) -> None:
        check_task(self._now.task_runs[task_run.id], cause, task_run.state)
        _put(self._now, task_run)


def _put(progress: Progress, task_run: TaskRun) -> None:
    """Replace one task run and keep the counters true."""
    before = progress.task_runs.get(task_run.id)
    progress.task_runs[task_run.id] = task_run
    if not task_run.state.is_terminal or (before is not None and before.state.is_terminal):
        return
    progress.unfinished -= 1
    progress.failed += task_run.state is TaskState.FAILED
    progress.cancelled += task_run.state is TaskState.CANCELLED
    for child in progress.children[task_run.id]:
        progress.open_parents[child] -= 1
