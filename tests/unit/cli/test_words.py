"""Times and durations in words."""

from datetime import UTC, datetime, timedelta

import pytest

from gofer.cli.words import counted, duration, moment, relative, size, span, title

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ms(at: datetime) -> int:
    """Return Unix milliseconds."""
    return int(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(), "now"),
        (timedelta(milliseconds=-900), "now"),
        (timedelta(seconds=-1), "1 second ago"),
        (timedelta(seconds=-59), "59 seconds ago"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(hours=-5), "5 hours ago"),
        (timedelta(days=-6), "6 days ago"),
        (timedelta(days=-14), "2 weeks ago"),
        (timedelta(days=-70), "2 months ago"),
        (timedelta(days=-800), "2 years ago"),
        (timedelta(minutes=3), "in 3 minutes"),
    ],
)
def test_how_far_off_a_time_is(ahead: timedelta, expected: str) -> None:
    assert relative(ahead) == expected


def test_a_moment_is_told_in_words_and_exactly_on_demand() -> None:
    at = NOW - timedelta(minutes=5, milliseconds=250)

    assert moment(ms(at), now=NOW, detail=False) == "5 minutes ago"
    exact = moment(ms(at), now=NOW, detail=True)
    assert exact.endswith(" (5 minutes ago)")
    assert datetime.fromisoformat(exact.split(" ")[0]) == at
    assert moment(0, now=NOW, detail=True) == "-"


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(), "0.00s"),
        (timedelta(seconds=-1), "0.00s"),
        (timedelta(milliseconds=347), "0.35s"),
        (timedelta(seconds=12.06), "12.1s"),
        (timedelta(seconds=59.97), "1m 0s"),
        (timedelta(seconds=185), "3m 5s"),
        (timedelta(hours=2, minutes=7, seconds=40), "2h 7m"),
        (timedelta(days=3, hours=4), "3d 4h"),
    ],
)
def test_durations_have_two_units_at_most(length: timedelta, expected: str) -> None:
    assert duration(length) == expected


def test_a_span_goes_on_until_now_where_it_has_no_end() -> None:
    began = NOW - timedelta(seconds=30)

    assert span(ms(began), 0, now=NOW) == "30.0s"
    assert span(ms(began), ms(began + timedelta(seconds=2)), now=NOW) == "2.00s"
    assert span(0, 0, now=NOW) == "-"


def test_names_of_enums_become_words() -> None:
    assert title("USER_CANCELLED") == "User Cancelled"
    assert title("RUN_STATUS_UNKNOWN") == "Unknown"


def test_things_are_counted() -> None:
    assert (counted(1, "task"), counted(0, "task"), counted(2000, "task")) == ("1 task", "0 tasks", "2,000 tasks")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (64 * 1024 * 1024, "64.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (5000 * 1024**4, "5,000.0 TiB"),
    ],
)
def test_a_size_is_told_as_near_as_people_want_it(count: int, expected: str) -> None:
    assert size(count) == expected
