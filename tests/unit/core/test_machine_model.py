"""The run machine against a second model of the same rules, in every situation that small graphs can come to.

Graphs of four tasks take minutes: `python -m tests.torture.model` goes through them.
"""

import pytest

from tests.unit.core.model_check import all_moves, check, few_moves, graphs


@pytest.mark.parametrize("tasks", [0, 1, 2])
def test_small_runs_do_what_the_rules_say_whatever_happens(tasks: int) -> None:
    for graph in graphs(tasks):
        assert check(graph, all_moves(graph)) >= 1


@pytest.mark.slow
def test_runs_of_three_tasks_end_and_are_cancelled_as_the_rules_say() -> None:
    situations = sum(check(graph, few_moves(graph)) for graph in graphs(3))

    assert situations > 7_000


def test_every_graph_is_looked_at_once_for_all_that_differ_in_names_only() -> None:
    assert [1, 1, 4, 52] == [sum(1 for _ in graphs(tasks)) for tasks in range(4)]
