"""Runs that need not be read back."""

from collections.abc import Iterable

from gofer.core.run import FreshRun
from gofer.services.fresh_runs import FreshRuns
from tests.factories import make_run, make_task, run_key


def fresh(number: int, **variables: str) -> FreshRun:
    return FreshRun(run=make_run(number, variables=variables), parallelism=0, tasks=(make_task("one"),))


def kept(runs: FreshRuns, numbers: Iterable[int]) -> list[int]:
    return [number for number in numbers if runs.find(run_key(number)) is not None]


def test_a_run_is_there_until_it_is_taken() -> None:
    runs = FreshRuns()
    runs.stored([fresh(1)])

    assert runs.find(run_key(1)) == fresh(1)
    assert runs.take(run_key(1)) == fresh(1)
    assert runs.take(run_key(1)) is None


def test_the_oldest_go_first_where_nobody_takes_them() -> None:
    runs = FreshRuns(most_kept=2)

    runs.stored([fresh(1), fresh(2)])
    runs.stored([fresh(3)])

    assert kept(runs, range(1, 4)) == [2, 3]


def test_a_run_with_long_variables_is_not_kept() -> None:
    runs = FreshRuns()

    runs.stored([fresh(1, TEXT="x" * 3000), fresh(2, TEXT="x")])

    assert kept(runs, range(1, 3)) == [2]
