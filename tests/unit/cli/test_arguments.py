"""Global options count wherever they are written; variables are read as they are."""

import pytest
import typer

from gofer.cli.arguments import forward_globals, read_variables


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["run", "list", "x"], ["run", "list", "x"]),
        (["run", "list", "x", "--format", "json"], ["--format", "json", "run", "list", "x"]),
        (["run", "list", "--format=json", "x"], ["--format=json", "run", "list", "x"]),
        (["--host", "h", "run", "list", "x", "--detail"], ["--host", "h", "--detail", "run", "list", "x"]),
        (["run", "--namespace", "n", "list", "--limit", "5"], ["--namespace", "n", "run", "list", "--limit", "5"]),
        (["run", "get", "--", "x", "--detail"], ["run", "get", "--", "x", "--detail"]),
        (["run", "list", "x", "--format"], ["--format"]),
        (["service", "start", "--config", "f"], ["--config", "f", "service", "start"]),
        (["run", "start", "x", "-v", "A=--detail"], ["run", "start", "x", "-v", "A=--detail"]),
        (["run", "start", "--no-color", "--help"], ["--no-color", "run", "start", "--help"]),
    ],
)
def test_global_options_move_to_the_front(given: list[str], expected: list[str]) -> None:
    assert forward_globals(given) == expected


def test_a_value_may_hold_anything() -> None:
    assert read_variables(["A=1", "B=a=b,c", "C=", "d= x "]) == {"A": "1", "B": "a=b,c", "C": "", "d": " x "}


@pytest.mark.parametrize(("pair", "expected"), [("A", "KEY=VALUE"), ("=1", "KEY=VALUE"), ("X=2", "given twice")])
def test_what_is_no_variable_is_refused(pair: str, expected: str) -> None:
    with pytest.raises(typer.BadParameter, match=expected):
        read_variables(["X=1", pair])
