"""Every state that two tasks can reach, met with every signal: the tables say exactly what happens."""

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TypeAlias

import pytest

from gofer.core.errors import IllegalTransition
from gofer.core.ids import TaskId
from gofer.core.machine import apply, decide
from gofer.core.pipeline import Requirement
from gofer.core.run import Plan, Progress, Run, RunState, TaskRun, TaskState
from gofer.core.step import (
    Admitted,
    CancelRequested,
    DeadlinePassed,
    InternalFault,
    LaunchFailed,
    Signal,
    StopTask,
    TaskCancelRequested,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskStarted,
)
from gofer.core.transitions import RUN_TRANSITIONS, TASK_TRANSITIONS, Cause, ParentsEnded, TasksEnded
from tests.factories import NOW, make_plan, make_progress
from tests.unit.core.driver import ADMITTED, cancel, cancel_task, exited, lost, overdue, refused, started

TIMEOUT = timedelta(hours=1)
PARENT, CHILD = TaskId("parent"), TaskId("child")
SIGNALS: tuple[Signal, ...] = (
    ADMITTED,
    cancel(),
    cancel(force=True),
    DeadlinePassed(),
    InternalFault(description="fault"),
    *(
        signal
        for task in (PARENT, CHILD)
        for signal in (
            started(task),
            exited(task),
            exited(task, 1),
            exited(task, started_at=NOW, ended_at=NOW + TIMEOUT / 2),
            refused(task),
            lost(task),
            overdue(task),
            cancel_task(task),
            cancel_task(task, force=True),
        )
    ),
)
TaskMove: TypeAlias = tuple[TaskState, type[Cause], TaskState]
RunMove: TypeAlias = tuple[RunState, type[Cause], RunState]


def copy(progress: Progress) -> Progress:
    return replace(
        progress, task_runs=dict(progress.task_runs), open_parents=dict(progress.open_parents), run=progress.run
    )


def with_stored_requests(progress: Progress) -> Iterator[Progress]:
    """Give the progress as it is, and as it is when a service stores a cancel that nobody has heard of."""
    yield progress
    if progress.run.stop_request is None and not progress.run.state.is_terminal:
        stored = copy(progress)
        stored.run = replace(progress.run, stop_request=cancel().request)
        yield stored
    for task, found in progress.task_runs.items():
        if found.stop_request is None and not found.state.is_terminal:
            stored = copy(progress)
            stored.task_runs[task] = replace(found, stop_request=cancel().request)
            yield stored


def outline_of(progress: Progress) -> Hashable:
    """Give all that a decision can depend on: codes and times of what is over only go along."""
    subjects: tuple[Run | TaskRun, ...] = (progress.run, *progress.task_runs.values())
    return tuple(
        found.state
        if found.state.is_terminal
        else (found.state, found.reason, found.stop_request, isinstance(found, TaskRun) and found.started_at)
        for found in subjects
    )


class Explorer:
    """Breadth first over all that can be reached."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.task_moves: set[TaskMove] = set()
        self.run_moves: set[RunMove] = set()
        self.refused_by_task: set[tuple[TaskState, type[Signal]]] = set()
        self.refused_by_run: set[tuple[RunState, type[Signal]]] = set()
        self.reached: dict[Hashable, Progress] = {}

    def explore(self) -> None:
        ahead = deque([make_progress(self.plan)])
        while ahead:
            for progress in with_stored_requests(ahead.popleft()):
                if (outline := outline_of(progress)) not in self.reached:
                    self.reached[outline] = progress
                    ahead += (after for signal in SIGNALS if (after := self._try(progress, signal)) is not None)

    def _try(self, before: Progress, signal: Signal) -> Progress | None:
        try:
            step = decide(self.plan, before, signal, at=NOW)
        except IllegalTransition:
            self._note_refusal(before, signal)
            return None
        after = copy(before)
        apply(after, step.changes)
        assert Progress.of(self.plan, after.run, after.task_runs) == after
        self._note_moves(before, after, signal)
        assert [] == [
            effect
            for effect in step.effects
            if isinstance(effect, StopTask) and after.task_runs[effect.task].state is not TaskState.STOPPING
        ]
        return after

    def _note_refusal(self, before: Progress, signal: Signal) -> None:
        task = getattr(signal, "task", None)
        found = before.task_runs.get(task) if task is not None else None
        if found is None:
            self.refused_by_run.add((before.run.state, type(signal)))
        else:
            self.refused_by_task.add((found.state, type(signal)))

    def _note_moves(self, before: Progress, after: Progress, signal: Signal) -> None:
        run_cause: type[Cause] = type(signal)
        if before.run.state is RunState.RUNNING and after.run.state.is_terminal:
            run_cause = TasksEnded
        stored = before.run.stop_request is not None and before.run.reason is None
        self.run_moves.add((before.run.state, CancelRequested if stored else run_cause, after.run.state))
        for task, found in before.task_runs.items():
            if stored or (found.stop_request is not None and found.state is not TaskState.STOPPING):
                continue  # two causes in one step; each of them is seen by itself elsewhere
            cause: type[Cause] | None = type(signal)
            if getattr(signal, "task", task) != task:
                cause = ParentsEnded if after.task_runs[task].state is not found.state else None
            if cause is not None and cause is not Admitted:
                self.task_moves.add((found.state, cause, after.task_runs[task].state))


@cache
def exploration_of(requirement: Requirement) -> Explorer:
    explorer = Explorer(make_plan({PARENT: [], CHILD: {PARENT: requirement}}, timeout=TIMEOUT))
    explorer.explore()
    return explorer


@pytest.fixture(params=list(Requirement))
def explored(request: pytest.FixtureRequest) -> Explorer:
    return exploration_of(request.param)


def test_no_state_moves_where_its_table_does_not_say(explored: Explorer) -> None:
    tasks = {
        (state, cause, to) for state, row in TASK_TRANSITIONS.items() for cause, ends in row.items() for to in ends
    }
    runs = {(state, cause, to) for state, row in RUN_TRANSITIONS.items() for cause, ends in row.items() for to in ends}

    assert set() == explored.task_moves - tasks
    # The end of a run that a cancel in the store brought about has two causes in one step.
    assert set() == {move for move in explored.run_moves if move[1] is not CancelRequested} - runs


def test_every_entry_of_the_tables_is_reached(explored: Explorer) -> None:
    tasks = {(state, cause) for state, row in TASK_TRANSITIONS.items() for cause in row}
    runs = {(state, cause) for state, row in RUN_TRANSITIONS.items() for cause in row}
    reached_by_tasks = {(state, cause) for state, cause, _ in explored.task_moves}
    reached_by_runs = {(state, cause) for state, cause, _ in explored.run_moves}

    assert tasks == reached_by_tasks
    assert runs == reached_by_runs


def test_every_way_out_of_a_state_is_taken() -> None:
    moves: set[TaskMove] = set()
    for requirement in Requirement:
        explorer = exploration_of(requirement)
        moves |= explorer.task_moves
        moves |= {
            (TaskState.PENDING, ParentsEnded, TaskState.CANCELLED)
            for found in explorer.reached.values()
            if (child := found.task_runs.get(CHILD)) is not None
            and (child.state, child.stop_request is not None) == (TaskState.CANCELLED, True)
            and found.task_runs[PARENT].state is TaskState.SUCCEEDED
        }

    assert moves == {
        (state, cause, to) for state, row in TASK_TRANSITIONS.items() for cause, ends in row.items() for to in ends
    }


def test_what_the_tables_do_not_have_is_refused(explored: Explorer) -> None:
    of_task = (TaskStarted, LaunchFailed, TaskExited, TaskLost, TaskCancelRequested, TaskDeadlinePassed)
    of_run = (CancelRequested, DeadlinePassed, InternalFault, Admitted)

    assert explored.refused_by_task == {
        (state, kind) for state, row in TASK_TRANSITIONS.items() for kind in of_task if kind not in row
    }
    assert explored.refused_by_run == {
        (state, kind) for state, row in RUN_TRANSITIONS.items() for kind in (*of_run, *of_task) if kind not in row
    }


def test_a_run_has_ended_exactly_when_all_of_its_task_runs_have(explored: Explorer) -> None:
    for progress in explored.reached.values():
        if progress.task_runs:
            ended = all(found.state.is_terminal for found in progress.task_runs.values())
            assert ended == progress.run.state.is_terminal


def test_what_is_over_stays_over(explored: Explorer) -> None:
    over = [progress for progress in explored.reached.values() if progress.run.state.is_terminal]

    assert len(over) > len(RunState)
    for progress in over:
        for signal in SIGNALS:
            assert () == decide(explored.plan, progress, signal, at=NOW).changes
