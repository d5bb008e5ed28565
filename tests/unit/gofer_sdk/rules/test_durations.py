"""Go's duration strings, both ways."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk.rules.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("-0", timedelta()),
        ("+0", timedelta()),
        ("0s", timedelta()),
        ("5s", timedelta(seconds=5)),
        ("+5s", timedelta(seconds=5)),
        ("-5s", timedelta(seconds=-5)),
        ("1h30m", timedelta(minutes=90)),
        ("1h15m30.918s", timedelta(hours=1, minutes=15, seconds=30, milliseconds=918)),
        ("300ms", timedelta(milliseconds=300)),
        ("-1.5h", timedelta(minutes=-90)),
        (".5s", timedelta(milliseconds=500)),
        ("1.s", timedelta(seconds=1)),
        ("10us", timedelta(microseconds=10)),
        ("10\u00b5s", timedelta(microseconds=10)),
        ("10\u03bcs", timedelta(microseconds=10)),
        ("1000ns", timedelta(microseconds=1)),
        ("5s1h", timedelta(hours=1, seconds=5)),
        ("1m1m", timedelta(minutes=2)),
        ("0.1s", timedelta(milliseconds=100)),
        ("0.33333333333333333333h", timedelta(seconds=1200)),
        ("2562047h47m16.854775807s", timedelta(microseconds=9223372036854776)),
    ],
)
def test_go_durations_are_read(text: str, expected: timedelta) -> None:
    assert expected == parse_duration(text)


@pytest.mark.parametrize("text", ["1ns", "0.4us", "999ns"])
def test_what_is_shorter_than_a_microsecond_never_becomes_nothing(text: str) -> None:
    assert timedelta(microseconds=1) == parse_duration(text)
    assert timedelta(microseconds=-1) == parse_duration(f"-{text}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "not a duration"),
        ("-", "not a duration"),
        ("3", "a unit is missing"),
        ("1h3", "a unit is missing"),
        ("s", "a number is missing"),
        (".s", "a number is missing"),
        ("1.2.3s", "unit"),
        ("1d", "the unit 'd' is not known"),
        ("1 h", "is not known"),
        ("1H", "is not known"),
        ("--5s", "is missing"),
        ("5s-3s", "is not known"),
        ("\u0665s", "is missing"),
        ("1h\n", "is not known"),
        ("1e3s", "is not known"),
        ("9" * 150 + "h", "out of range"),
        ("2562048h", "out of range"),
        ("9223372036854775808ns", "out of range"),
        ("1" * 5000, "not a duration"),
    ],
)
def test_what_is_no_go_duration_is_refused_in_words(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_duration(text)


def test_the_range_is_that_of_go() -> None:
    assert parse_duration("-9223372036854775808ns") < timedelta(days=-106751)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(), "0s"),
        (timedelta(microseconds=1), "1\u00b5s"),
        (timedelta(microseconds=1100), "1.1ms"),
        (timedelta(milliseconds=300), "300ms"),
        (timedelta(seconds=2, milliseconds=200), "2.2s"),
        (timedelta(minutes=3, seconds=3, milliseconds=300), "3m3.3s"),
        (timedelta(hours=4, minutes=5, seconds=5, microseconds=1), "4h5m5.000001s"),
        (timedelta(hours=1), "1h0m0s"),
        (timedelta(days=2), "48h0m0s"),
        (timedelta(minutes=-90), "-1h30m0s"),
    ],
)
def test_durations_are_written_as_go_writes_them(duration: timedelta, expected: str) -> None:
    assert expected == format_duration(duration)


@given(st.timedeltas(min_value=timedelta(days=-100_000), max_value=timedelta(days=100_000)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert duration == parse_duration(format_duration(duration))


@given(st.text(alphabet="0123456789.hmsnuµ+- ", max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return

    assert duration == parse_duration(format_duration(duration))
