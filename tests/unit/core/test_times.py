from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.times import from_ms, maybe_from_ms, maybe_to_ms, to_ms


@given(st.integers(-(10**12), 10**14))
def test_a_time_comes_back_from_its_milliseconds(value: int) -> None:
    assert to_ms(from_ms(value)) == value


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 1, 1, 0, 0, 0, 1999, tzinfo=UTC), 1767225600001),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1767225600000),
    ],
)
def test_times_are_milliseconds_in_utc_rounded_down(at: datetime, value: int) -> None:
    assert to_ms(at) == value


def test_no_time_stays_no_time() -> None:
    assert maybe_to_ms(None) is None
    assert maybe_from_ms(None) is None
