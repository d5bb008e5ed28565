from datetime import UTC, datetime, timedelta

import pytest

from gofer.core.errors import InvalidInput
from gofer.core.ids import RunId
from gofer.core.retention import expired_runs, newest_expired, oldest_kept
from gofer.core.run import RunState
from tests.factories import NOW, make_run


@pytest.mark.parametrize(
    ("newest", "keep", "expired"), [(7, 2, 5), (6, 2, 4), (50, 50, 0), (51, 50, 1), (3, 50, 0), (4, 0, 4), (0, 0, 0)]
)
def test_a_run_is_expired_once_as_many_newer_ones_exist_as_are_kept(newest: int, keep: int, expired: int) -> None:
    assert expired == newest_expired(RunId(newest), keep=keep)


def test_every_older_run_that_has_ended_is_expired_and_one_that_lives_is_not() -> None:
    runs = [
        make_run(number, state=RunState.RUNNING if number in {2, 5} else RunState.SUCCEEDED) for number in range(1, 6)
    ]

    assert [1, 3] == [run.id for run in expired_runs(runs, newest=RunId(5), keep=2)]


def test_events_older_than_the_retention_are_expired() -> None:
    assert NOW - timedelta(hours=4380) == oldest_kept(NOW, keep=timedelta(hours=4380))
    assert NOW == oldest_kept(NOW, keep=timedelta())


def test_a_retention_beyond_all_time_keeps_everything() -> None:
    assert datetime.min.replace(tzinfo=UTC) == oldest_kept(NOW, keep=timedelta.max)


def test_negative_policies_are_refused() -> None:
    with pytest.raises(InvalidInput):
        newest_expired(RunId(1), keep=-1)
    with pytest.raises(InvalidInput):
        oldest_kept(NOW, keep=timedelta(seconds=-1))
