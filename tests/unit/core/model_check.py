"""Walks through everything that can happen to a run, in the machine and in the naive model at once, and compares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations, product
from typing import Final, TypeAlias

from gofer.core.errors import IllegalTransition
from gofer.core.ids import TaskId
from gofer.core.machine import apply, decide
from gofer.core.pipeline import Requirement
from gofer.core.run import Plan, Progress, TaskState
from gofer.core.step import (
    DeadlinePassed,
    LaunchFailed,
    LaunchTask,
    Signal,
    Step,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskStarted,
)
from tests.factories import NOW, make_plan, make_progress, make_run
from tests.unit.core.driver import ADMITTED, cancel, cancel_task, exited, lost, overdue, refused, started
from tests.unit.core.naive_run import Edge, Graph, NaiveRun
from tests.unit.core.situations import Situation, Situations, exact

Move: TypeAlias = tuple[Signal, Callable[[NaiveRun], NaiveRun]]
"""A signal to the machine, and what it means."""

EDGES: Final[tuple[Edge | None, ...]] = (None, "any", "success", "failure")
TASK_TIMEOUT: Final = timedelta(hours=1)
RUN_TIMEOUT: Final = timedelta(hours=10)
IN_TIME: Final = NOW + TASK_TIMEOUT / 2
Kind: TypeAlias = Callable[[NaiveRun, Progress], Situation]
"""Tells which situations are one, by giving the same for them."""
RUN_TIMED_OUT: Final[Move] = (DeadlinePassed(), lambda run: run.stop_run("timeout"))
SEEN_AS: Final = {TaskState.STARTING: "LIVE", TaskState.RUNNING: "LIVE"}


def graphs(tasks: int) -> Iterator[Graph]:
    """Give every graph of so many tasks with every kind of dependency, once for all that differ in names only."""
    names = "abcdefgh"[:tasks]
    pairs = [(child, parent) for child in range(tasks) for parent in range(child)]
    known = set()
    for kinds in product(range(len(EDGES)), repeat=len(pairs)):
        edges = {pair: kind for pair, kind in zip(pairs, kinds, strict=True) if kind}
        shape = min(
            tuple(sorted((order[child], order[parent], kind) for (child, parent), kind in edges.items()))
            for order in permutations(range(tasks))
        )
        if shape in known:
            continue
        known.add(shape)
        found: dict[str, dict[str, Edge]] = {name: {} for name in names}
        for (child, parent), kind in edges.items():
            edge = EDGES[kind]
            assert edge is not None
            found[names[child]][names[parent]] = edge
        yield found


def few_moves(graph: Graph) -> list[Move]:
    """Give the moves that decide outcomes: a good end, a bad one, a cancel of a task, a cancel of the run."""
    moves: list[Move] = [(cancel(), lambda run: run.stop_run("user"))]
    for task in graph:
        moves += _of_task(task)[:3]
    return moves


def untimed_moves(graph: Graph) -> list[Move]:
    """Give every kind of signal there is but those of tasks with a timeout."""
    moves = [*few_moves(graph), RUN_TIMED_OUT]
    for task in graph:
        moves += _of_task(task)[3:]
    return moves


def timed_moves(graph: Graph) -> list[Move]:
    """Give what decides about timeouts: starts, ends that are told in time or not, timeouts, a cancel of the run."""
    moves = [*few_moves(graph)[:1], RUN_TIMED_OUT]
    for task in graph:
        moves += [_of_task(task)[0], _of_task(task)[3], *_timed(task)]
    return moves


def all_moves(graph: Graph) -> list[Move]:
    """Give every kind of signal there is."""
    return untimed_moves(graph) + [move for task in graph for move in _timed(task)]


def _of_task(task: str) -> list[Move]:
    return [
        (exited(task), lambda run: run.end(task, good=True)),
        (exited(task, 1), lambda run: run.end(task, good=False)),
        (cancel_task(task), lambda run: run.stop_task(task)),
        (started(task), lambda run: run),
        (lost(task), lambda run: run.end(task, good=False)),
        (refused(task), lambda run: run.end(task, good=False)),
    ]


def _timed(task: str) -> list[Move]:
    return [
        (overdue(task), lambda run: run.stop_task(task, "timeout")),
        (exited(task, started_at=NOW, ended_at=IN_TIME), lambda run: run.end(task, good=True, in_time=True)),
        (exited(task, 1, started_at=NOW, ended_at=IN_TIME), lambda run: run.end(task, good=False, in_time=True)),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """How many different situations were met, and how many signals given in them."""

    situations: int
    steps: int


def check(graph: Graph, moves: Sequence[Move]) -> Walked:
    """Play the moves in every order there is, from one of all situations that differ in nothing that matters."""
    return walk(graph, moves, Situations(graph, late=NOW + RUN_TIMEOUT).of)


def check_exactly(graph: Graph, moves: Sequence[Move]) -> Walked:
    """Play the moves in every order there is, from every situation; fails also where `check` would miss one."""
    what_matters = Situations(graph, late=NOW + RUN_TIMEOUT).of
    every: set[Situation] = set()
    one_of_each: set[Situation] = set()

    def exactly(model: NaiveRun, progress: Progress) -> Situation:
        every.add(what_matters(model, progress))
        return exact(model, progress)

    def merged(model: NaiveRun, progress: Progress) -> Situation:
        one_of_each.add(found := what_matters(model, progress))
        return found

    walked = walk(graph, moves, exactly)
    walk(graph, moves, merged)
    assert every == one_of_each, f"{graph}: {len(every ^ one_of_each)} situations are not what they seem"
    return walked


def walk(graph: Graph, moves: Sequence[Move], kind: Kind) -> Walked:
    """Play the moves in every order there is, from one situation of each kind. Fails where the two models differ."""
    wanted = {task: {on: Requirement(kind.upper()) for on, kind in of.items()} for task, of in graph.items()}
    plan = make_plan(wanted, timeout=TASK_TIMEOUT, deadline=RUN_TIMEOUT)
    first = make_progress(plan, run=make_run())
    admitted = decide(plan, first, ADMITTED, at=NOW)
    model = NaiveRun(graph=graph)
    _compare(NaiveRun(graph={}), model, first, admitted, history=())
    todo: list[tuple[NaiveRun, Progress, tuple[Signal, ...]]] = [(model, first, ())]
    seen = {kind(model, first)}
    known = {model: model}  # one object for equal facts, so that what is worked out from them is kept
    while todo:
        model, progress, history = todo.pop()
        for signal, meaning in moves:
            expected = meaning(model)
            step = _decide(plan, progress, signal, at=_now(expected))
            if step is None:
                assert _is_impossible(signal, model, progress), f"{graph} after {history} refuses {signal}"
                continue
            if expected is model and step == Step():
                continue  # absorbed: neither model is changed by it
            expected = known.setdefault(expected, expected)
            after = _copy(progress)
            told = (*history, signal)
            _compare(model, expected, after, step, history=told)
            situation = kind(expected, after)
            if situation not in seen:
                seen.add(situation)
                todo.append((expected, after, told))
    return Walked(situations=len(seen), steps=len(seen) * len(moves))


def _now(model: NaiveRun) -> datetime:
    return NOW + 2 * RUN_TIMEOUT if model.run_stopped == "timeout" else NOW


def _decide(plan: Plan, progress: Progress, signal: Signal, *, at: datetime) -> Step | None:
    """Decide; None where the machine says that this can't happen now."""
    try:
        return decide(plan, progress, signal, at=at)
    except IllegalTransition:
        return None


def _is_impossible(signal: Signal, model: NaiveRun, progress: Progress) -> bool:
    """Tell whether this can't be: what waits has no container, what runs was not refused, and time begins with it."""
    if not isinstance(signal, TaskStarted | TaskExited | LaunchFailed | TaskLost | TaskDeadlinePassed):
        return False
    state = progress.task_runs[signal.task].state
    runs_not = model.states[signal.task] == "PENDING" or (
        state is TaskState.STARTING and isinstance(signal, TaskDeadlinePassed)
    )
    return runs_not or (state is TaskState.RUNNING and isinstance(signal, LaunchFailed))


def _compare(
    before: NaiveRun, expected: NaiveRun, progress: Progress, step: Step, *, history: Sequence[Signal]
) -> None:
    apply(progress, step.changes)
    states = {str(task): SEEN_AS.get(found.state, found.state.value) for task, found in progress.task_runs.items()}
    launched = {effect.task for effect in step.effects if isinstance(effect, LaunchTask)}
    due = {TaskId(task) for task, state in expected.states.items() if state == "LIVE" != before.states.get(task)}
    assert expected.states == states, f"{expected.graph} after {history}"
    assert expected.outcome == progress.run.state.value, f"{expected.graph} after {history}"
    assert due == launched, f"{expected.graph} after {history}"


def _copy(progress: Progress) -> Progress:
    return replace(progress, task_runs=dict(progress.task_runs), open_parents=dict(progress.open_parents))
