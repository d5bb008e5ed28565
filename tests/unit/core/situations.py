"""Which situations of a run are one: those that differ in nothing that can still matter.

A walk through all of them goes on from the first of each kind only. Left out is what no rule reads any more: how a task
ended that nobody waits for (but not that one failed, was cancelled, or was late), anything of a run that is over, and
which of two tasks is which where the graph is the same with both exchanged.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import permutations
from typing import Final, TypeAlias

from gofer.core.ids import TaskId
from gofer.core.run import Progress, ReasonCode, Run, TaskRun, TaskState
from tests.unit.core.naive_run import ENDED, Graph, NaiveRun

Situation: TypeAlias = tuple[object, ...]
_GONE: Final = 0  # the number of a task that has ended, and that nobody waits for


class Situations:
    """Tells which situations of one graph are one. `late` is when its run's timeout passes."""

    def __init__(self, graph: Graph, *, late: datetime) -> None:
        self._late = late
        self._tasks = tuple(graph)
        self._children = {task: [child for child in graph if task in graph[child]] for task in graph}
        self._orders = [[self._tasks.index(other) for other in order] for order in symmetries(graph)]
        self._numbers: dict[Situation, int] = {}

    def of(self, model: NaiveRun, progress: Progress) -> Situation:
        """Give all of both models that can still matter."""
        if progress.run.state.is_terminal:
            return (progress.run.state.value,)
        rows = [self._number(task, model, progress) for task in self._tasks]
        least = min(tuple([rows[at] for at in order]) for order in self._orders)
        return (*self._of_run(model, progress), least)

    def _number(self, task: str, model: NaiveRun, progress: Progress) -> int:
        """Give the same number for equal tasks; a number is quicker to compare."""
        states = model.states
        if states[task] in ENDED and all(states[child] != "PENDING" for child in self._children[task]):
            return _GONE
        return self._numbers.setdefault(_of_task(task, model, progress), len(self._numbers) + 1)

    def _of_run(self, model: NaiveRun, progress: Progress) -> Situation:
        ended = {task for task, state in model.states.items() if state in ENDED}
        in_time = {task for task, _, in_time in model.ended if in_time}
        return (
            model.run_stopped,
            bool((model.left & ended) - in_time),
            progress.run.reason,
            progress.failed > 0,
            progress.cancelled > 0,
            any(self._is_late(found, progress.run) for found in progress.task_runs.values()),
        )

    def _is_late(self, found: TaskRun, run: Run) -> bool:
        """Tell whether an end is one that a timeout of the run has brought, or found to be under way."""
        if found.ended_at is None or run.reason is None or run.reason.code is not ReasonCode.TIMED_OUT:
            return False
        return found.reason == run.reason or (found.state is TaskState.CANCELLED and found.ended_at >= self._late)


def symmetries(graph: Graph) -> list[tuple[str, ...]]:
    """Give every order of the tasks in which the graph is the same as in its own."""
    return [order for order in permutations(graph) if _renamed(graph, order) == graph]


def _renamed(graph: Graph, order: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    name = dict(zip(graph, order, strict=True))
    return {name[task]: {name[parent]: kind for parent, kind in of.items()} for task, of in graph.items()}


def exact(model: NaiveRun, progress: Progress) -> Situation:
    """Give all of both models: nothing is left out."""
    rows = tuple((found.state, found.started_at is None, found.reason) for found in progress.task_runs.values())
    return model, rows, progress.run.state, progress.run.reason


def _of_task(task: str, model: NaiveRun, progress: Progress) -> Situation:
    found = progress.task_runs[TaskId(task)]
    if found.state.is_terminal:
        return (found.state,)
    return (
        (found.state, found.reason, found.stop_request is None),
        (dict(model.stopped).get(task), task in model.left),
    )
