"""The rule for task graphs, held by the acceptance vectors and by brute force."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk.rules.graph import find_cycles, graph_faults, spell_cycle

Edges = list[tuple[int, int]]

GRAPHS = st.lists(st.lists(st.integers(0, 7), max_size=4), max_size=8)


def graph(edges: Edges) -> list[tuple[str, list[str]]]:
    """Make tasks out of (parent, child) pairs."""
    numbers = sorted({number for edge in edges for number in edge})
    return [(f"t{number}", [f"t{parent}" for parent, child in edges if child == number]) for number in numbers]


ACYCLIC: Edges = [(1, 2), (2, 3), (2, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize(
    "edges",
    [ACYCLIC, [*ACYCLIC, (6, 3)], [(1, 2), (2, 3), (2, 4), (4, 5), (4, 6), (5, 6), (6, 3)]],
)
def test_a_graph_without_a_circle_is_good(edges: Edges) -> None:
    assert graph_faults(graph(edges)) == ()


def test_an_edge_that_closes_a_circle_is_a_fault() -> None:
    (fault,) = graph_faults(graph([*ACYCLIC, (6, 4)]))

    assert "t4 -> t6 -> t5 -> t4" in fault


def test_a_circle_of_three_is_spelled_out() -> None:
    (fault,) = graph_faults([("a", ["b"]), ("b", ["c"]), ("c", ["a"])])

    assert "a -> b -> c -> a" in fault


def test_a_task_that_depends_on_itself_is_a_circle() -> None:
    (fault,) = graph_faults([("a", ["a"])])

    assert "a -> a" in fault


def test_each_unknown_parent_is_told_with_its_task() -> None:
    faults = graph_faults([("a", ["x", "y"]), ("b", ["a"])])

    assert len(faults) == 2
    assert all("'a' depends on" in fault for fault in faults)
    assert "'x'" in faults[0]
    assert "'y'" in faults[1]


def test_a_repeated_id_is_told_once_with_its_count() -> None:
    (fault,) = graph_faults([("a", []), ("b", []), ("a", []), ("a", ["b"])])

    assert "'a' is used by 3 tasks" in fault


def test_all_faults_are_told_together() -> None:
    faults = graph_faults([("a", ["b", "x"]), ("b", ["a"]), ("c", ["d"]), ("d", ["c", "a"]), ("e", []), ("e", [])])

    assert len(faults) == 4
    assert "'e' is used by 2 tasks" in faults[0]
    assert "'x'" in faults[1]
    assert "a -> b -> a" in faults[2]
    assert "c -> d -> c" in faults[3]


def test_a_long_circle_is_spelled_with_its_middle_left_out() -> None:
    spelled = spell_cycle([f"t{number}" for number in range(1000)])

    assert spelled.startswith("t0 -> t1 -> ")
    assert "(980 more)" in spelled
    assert spelled.endswith("-> t999 -> t0")


@pytest.mark.parametrize("closed", [False, True], ids=["chain", "circle"])
def test_twenty_thousand_tasks_are_checked_in_a_moment(closed: bool) -> None:  # noqa: FBT001
    count = 20_000
    tasks = [(f"t{number}", [f"t{number - 1}"] if number else []) for number in range(count)]
    if closed:
        tasks[0] = ("t0", [f"t{count - 1}"])
    began = time.process_time()

    faults = graph_faults(tasks)

    assert closed == bool(faults)
    assert time.process_time() - began < 2


@given(GRAPHS)
def test_a_circle_is_found_where_brute_force_finds_one(parents: list[list[int]]) -> None:
    tasks = [(str(number), [str(parent) for parent in needed]) for number, needed in enumerate(parents)]
    known = dict(tasks)

    circles = list(find_cycles(tasks))

    assert groups_by_brute_force(known) == len(circles)
    for circle in circles:
        assert len(set(circle)) == len(circle)
        assert all(after in known[task] for task, after in zip(circle, (*circle[1:], circle[0]), strict=True))


def groups_by_brute_force(parents: dict[str, list[str]]) -> int:
    """Count the sets of tasks that reach each other by the closure of the relation."""
    reach = {task: {parent for parent in needed if parent in parents} for task, needed in parents.items()}
    for _ in parents:
        reach = {task: set().union(ahead, *(reach[parent] for parent in ahead)) for task, ahead in reach.items()}
    groups = {
        frozenset(other for other in parents if other in reach[task] and task in reach[other])
        for task in parents
        if task in reach[task]
    }
    return len(groups)
