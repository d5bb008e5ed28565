"""What a signal costs: counted, not timed. Graphs of many tasks are what the time limit of each test is for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, TypeVar

import pytest

from gofer.core.events import TaskRunCompleted
from gofer.core.ids import TaskId
from gofer.core.machine import decide
from gofer.core.run import Progress, RunState, TaskRun
from gofer.core.step import LaunchTask, Signal
from tests.factories import NOW
from tests.unit.core.driver import ADMITTED, Driver, Graph, cancel, cancel_task, exited, lost, refused, started

MANY = 20_000
SIGNALLED = 5_000
V = TypeVar("V")


class Counted(dict[TaskId, V], Generic[V]):
    """A dict that knows how often it was looked into, and refuses to be walked through."""

    looks = 0

    def __getitem__(self, key: TaskId) -> V:
        self.looks += 1
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[TaskId]:
        raise AssertionError("walked through all tasks")


def looks(run: Driver, signal: Signal) -> int:
    """Count the looks at task runs and counters of one decision."""
    task_runs: Counted[TaskRun] = Counted(dict(run.progress.task_runs))
    open_parents: Counted[int] = Counted(dict(run.progress.open_parents))
    progress: Progress = replace(run.progress, task_runs=task_runs, open_parents=open_parents)
    decide(run.plan, progress, signal, at=NOW)
    return task_runs.looks + open_parents.looks


def wide(tasks: int, *, children: int) -> Driver:
    """Give a run of many tasks, one of which has that many children."""
    graph: Graph = {
        "parent": [],
        **{f"child{number}": ["parent"] for number in range(children)},
        **{f"other{number}": [] for number in range(tasks)},
    }
    run = Driver(graph)
    run(ADMITTED)
    return run


@pytest.mark.parametrize(
    "signal", [started("parent"), exited("parent"), exited("parent", 1), refused("parent"), lost("parent")]
)
def test_a_signal_of_a_task_looks_at_its_children_only(signal: Signal) -> None:
    few, many = wide(10, children=3), wide(1_000, children=3)

    assert looks(few, signal) == looks(many, signal) < 40


@pytest.mark.parametrize("signal", [cancel_task("parent"), cancel_task("child1")])
def test_the_cancel_of_a_task_looks_at_its_children_only(signal: Signal) -> None:
    assert looks(wide(10, children=3), signal) == looks(wide(1_000, children=3), signal) < 40


def test_the_cost_of_an_end_grows_with_the_children_alone() -> None:
    signal = exited("parent")

    one, two = looks(wide(10, children=100), signal), looks(wide(10, children=200), signal)

    assert one < two < 2 * one + 10


def test_a_cancel_that_is_repeated_looks_at_nothing() -> None:
    run = wide(100, children=3)
    run(cancel())

    assert 0 == looks(run, cancel())


def test_a_parent_of_a_fan_in_looks_at_its_siblings_only_when_it_is_the_last() -> None:
    names = [f"parent{number}" for number in range(100)]
    run = Driver({**{name: [] for name in names}, "last": names})
    run(ADMITTED, *(exited(name) for name in names[:-2]))

    before_last = looks(run, exited(names[-2]))
    run(exited(names[-2]))

    assert before_last < 10 < len(names) < looks(run, exited(names[-1])) < 2 * len(names)


def finish(run: Driver) -> None:
    """Let every task that is launched start and end well, in the order of the launches."""
    done = 0
    run(ADMITTED)
    while done < len(run.effects):
        effect = run.effects[done]
        done += 1
        if isinstance(effect, LaunchTask):
            run(started(effect.task), exited(effect.task))


def chain(length: int) -> Graph:
    return {f"task{number}": [f"task{number - 1}"] if number else [] for number in range(length)}


def test_a_chain_of_5_000_tasks_runs_through() -> None:
    run = Driver(chain(SIGNALLED))

    finish(run)

    assert RunState.SUCCEEDED is run.run.state


def test_a_fan_of_5_000_tasks_runs_through() -> None:
    run = Driver({"root": [], **{f"task{number}": ["root"] for number in range(SIGNALLED)}})

    finish(run)

    assert RunState.SUCCEEDED is run.run.state


def test_a_chain_of_20_000_skips_is_settled_in_one_step_without_recursion() -> None:
    run = Driver(chain(MANY))
    run(ADMITTED)

    step = run(exited("task0", 1))

    assert MANY == sum(isinstance(event, TaskRunCompleted) for event in step.events)
    assert RunState.FAILED is run.run.state


def test_a_run_of_20_000_tasks_is_cancelled_in_one_step() -> None:
    run = Driver({"root": [], **{f"task{number}": [] for number in range(MANY // 2)}, **chain(MANY // 2)})
    run(ADMITTED)

    run(cancel(), *(lost(effect.task) for effect in run.effects if isinstance(effect, LaunchTask)))

    assert RunState.CANCELLED is run.run.state
