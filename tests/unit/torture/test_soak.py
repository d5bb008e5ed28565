"""What counts as grown: more in the end than after the warm-up, but for what comes and goes, and what is kept."""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.torture.page import put_into
from tests.torture.soak import BEGIN, Soak, section
from tests.torture.soak_watch import Figure, Sample, line_through, look, trends

HOUR = 3600.0


def samples(figure: Figure, *values: float, runs: int = 0) -> list[Sample]:
    """Give samples over an hour in which all but one figure stay at 100."""
    last = len(values) - 1
    return [
        Sample(
            at_seconds=HOUR * number / last,
            runs=runs * number // last,
            figures=dict.fromkeys(Figure, 100.0) | {figure: value},
        )
        for number, value in enumerate(values)
    ]


def right(*found: Sample) -> dict[Figure, bool]:
    return {trend.figure: trend.is_right for trend in trends(found)}


def soaked(*found: Sample, after: float = 30.0) -> Soak:
    before = dict.fromkeys(Figure, 30.0)
    return Soak(
        seconds=HOUR,
        seed=7,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        trends=trends(found),
        rest=(before, before | {Figure.DESCRIPTORS: after}),
        done=Counter({"run ended": 1234}),
        refused=Counter(),
        logged=[],
    )


def test_a_line_goes_through_what_lies_on_one() -> None:
    slope, level = line_through([1, 2, 3], [7, 9, 11])

    assert (slope, level) == pytest.approx((2, 5))


def test_what_comes_and_goes_has_not_grown() -> None:
    assert all(right(*samples(Figure.RSS, 100, 104, 99, 103, 98, 101)).values())


@pytest.mark.parametrize("figure", [each for each in Figure if each is not Figure.DATABASE])
def test_what_grows_is_told_by_its_name(figure: Figure) -> None:
    found = right(*samples(figure, 100, 140, 180, 220))

    assert [figure] == [each for each, is_right in found.items() if not is_right]


@pytest.mark.parametrize(("runs", "expected"), [(10_000, True), (1_000, False)])
def test_a_database_may_grow_by_the_rows_of_its_runs(runs: int, expected: bool) -> None:  # noqa: FBT001
    found = right(*samples(Figure.DATABASE, 100, 120, 140, runs=runs))

    assert found[Figure.DATABASE] is expected


def test_too_few_looks_tell_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        trends(samples(Figure.RSS, 100, 100))


def test_a_look_finds_what_this_process_holds_and_what_lies_below_a_folder(tmp_path: Path) -> None:
    logs = tmp_path / "data" / "logs" / "default"
    logs.mkdir(parents=True)
    (logs / "one").write_bytes(bytes(3_000_000))
    (tmp_path / "data" / "gofer.db").write_bytes(bytes(2_000_000))
    (tmp_path / "data" / "gofer.db-wal").write_bytes(bytes(1_000_000))

    found = look(os.getpid(), tmp_path)

    assert found[Figure.RSS] > 10
    assert found[Figure.THREADS] >= 1
    assert found[Figure.DESCRIPTORS] >= 3
    assert (3.0, 2.0, 1.0) == (found[Figure.LOGS], found[Figure.DATABASE], found[Figure.JOURNALS])
    assert found[Figure.FILES] == 3


def test_descriptors_that_stay_open_are_a_fault() -> None:
    flat = samples(Figure.RSS, 100, 100, 100)

    assert [] == list(soaked(*flat).faults())
    assert ["descriptors with nothing to do: 30 before, 33 afterwards"] == list(soaked(*flat, after=33).faults())


def test_the_page_gets_the_result_in_its_own_part(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text(f"before\n<!-- made by another -->\nkept\n<!-- end -->\n{BEGIN}\nold\n<!-- end -->\nafter\n")

    put_into(page, section(soaked(*samples(Figure.RSS, 100, 120, 140))), begin=BEGIN)

    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n<!-- made by another -->\nkept\n<!-- end -->\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| RSS, MB | 100.00 | 140.00 | 140.00 | +40.00 | +0.000 | NO |" in text
    assert "| run ended | 1,234 |" in text
    assert "faults: 1." in text
