"""Graphs are drawn line by line."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.cli.graph import draw, ordered

Graph = dict[str, list[str]]

GRAPHS = st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=10).map(
    lambda rows: {f"t{number}": [f"t{parent}" for parent in row if parent < number] for number, row in enumerate(rows)}
)


def drawn(parents: Graph) -> str:
    """Return the drawing as it stands in a list."""
    lines = draw(parents, max_columns=20)
    assert lines is not None
    return "\n".join(f"{line}● {task}" for task, line in lines.items())


def test_the_example_of_all_dependencies() -> None:
    parents = {
        "build": [],
        "check": ["build"],
        "clean_up": ["check"],
        "document": ["build"],
        "publish": ["check"],
        "report": ["clean_up", "publish"],
    }

    assert drawn(parents).splitlines() == [
        "● build",
        "├─● check",
        "│ ├─● clean_up",
        "│ ╰─│─● publish",
        "│   ╰─┴─● report",
        "╰─● document",
    ]


def test_fan_out_and_fan_in() -> None:
    parents: Graph = {"split": [], "one": ["split"], "two": ["split"], "three": ["split"]}
    parents["join"] = ["one", "two", "three"]

    assert drawn(parents).splitlines() == [
        "● split",
        "├─● one",
        "├─│─● two",
        "╰─│─│─● three",
        "  ╰─┴─┴─● join",
    ]


def test_tasks_that_hang_together_stay_together() -> None:
    assert drawn({"a": [], "x": [], "b": ["a"], "y": ["x"]}) == "● a\n╰─● b\n● x\n╰─● y"


def test_a_parent_that_has_more_children_is_told_from_one_that_has_not() -> None:
    parents: Graph = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["b"]}

    assert drawn(parents) == "● a\n├─● b\n╰─┼─● c\n  ╰─● d"


def test_plain_characters_do_where_no_others_can_be_shown() -> None:
    assert draw({"a": [], "b": ["a"], "c": ["a"]}, max_columns=5, ascii_only=True) == {"a": "", "b": "+-", "c": "`-"}


@pytest.mark.parametrize(
    "parents",
    [
        {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(10)},
        {"a": ["b"], "b": ["a"]},
    ],
    ids=["a long chain", "a circle"],
)
def test_what_can_not_be_drawn_is_not(parents: Graph) -> None:
    assert draw(parents, max_columns=5) is None


def test_parents_that_are_not_listed_do_not_count() -> None:
    assert drawn({"b": ["gone"]}) == "● b"


@given(GRAPHS)
def test_each_task_is_listed_once_after_its_parents(parents: Graph) -> None:
    order = ordered(parents)

    assert sorted(order) == sorted(parents)
    assert all(order.index(parent) < order.index(task) for task, needed in parents.items() for parent in needed)


@given(GRAPHS)
def test_each_line_leads_to_the_parents_of_its_task(parents: Graph) -> None:
    lines = draw(parents, max_columns=30)
    assert lines is not None
    columns: dict[str, int] = {}

    for task, line in lines.items():
        ends = {number for number in range(0, len(line), 2) if line[number] in "├╰┴┼"}
        assert ends == {columns[parent] for parent in parents[task]}
        columns[task] = len(line)


def test_twenty_thousand_tasks_are_ordered_in_a_moment() -> None:
    parents = {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(20_000)}
    began = time.process_time()

    order = ordered(dict(reversed(parents.items())))

    assert order == list(parents)
    assert time.process_time() - began < 2
