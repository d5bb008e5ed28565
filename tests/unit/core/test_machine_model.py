"""The run machine against a second model of the same rules, in every situation that small graphs can come to.

Graphs of four tasks take minutes: `python -m tests.torture.model` goes through them.
"""

from collections.abc import Callable
from itertools import islice

import pytest

from tests.unit.core.model_check import (
    Move,
    all_moves,
    check,
    check_exactly,
    few_moves,
    graphs,
    timed_moves,
    untimed_moves,
)
from tests.unit.core.naive_run import Graph


@pytest.mark.parametrize("tasks", [0, 1])
def test_the_smallest_runs_do_what_the_rules_say_whatever_happens(tasks: int) -> None:
    for graph in graphs(tasks):
        assert check_exactly(graph, all_moves(graph)).situations >= 1


@pytest.mark.parametrize("moves", [untimed_moves, timed_moves])
def test_runs_of_two_tasks_do_what_the_rules_say_whatever_happens(moves: Callable[[Graph], list[Move]]) -> None:
    situations = sum(check_exactly(graph, moves(graph)).situations for graph in graphs(2))

    assert situations > 700


@pytest.mark.slow
def test_runs_of_three_tasks_end_and_are_cancelled_as_the_rules_say() -> None:
    situations = sum(check(graph, few_moves(graph)).situations for graph in graphs(3))

    assert situations > 1_500


def test_runs_of_three_tasks_with_timeouts_do_what_the_rules_say() -> None:
    some = islice(graphs(3), 1, None, 5)

    assert sum(check(graph, timed_moves(graph)).situations for graph in some) > 400


def test_every_graph_is_looked_at_once_for_all_that_differ_in_names_only() -> None:
    assert [1, 1, 4, 52] == [sum(1 for _ in graphs(tasks)) for tasks in range(4)]
