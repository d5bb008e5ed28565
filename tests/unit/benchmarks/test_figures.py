"""What the benchmarks print, and that the report knows them all."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks._figures import Effort, Figure, Goal, as_json, cells, from_json
from tests.benchmarks._line_reader import LineCounter
from tests.benchmarks.report import MARK, SECTIONS, with_sections

HERE = Path(__file__).parents[2] / "benchmarks"


def figure(ours: list[float], floor: list[float]) -> Figure:
    return Figure(what="work", unit="ms", ours=ours, floor=floor, floor_is="the least", predecessor="9 ms")


def test_the_report_knows_every_benchmark() -> None:
    names = {path.stem for path in HERE.glob("[!_]*.py")}

    assert names - {"report"} == set(SECTIONS)


def test_pairs_are_compared_pair_by_pair() -> None:
    assert 2.0 == figure([2.0, 20.0, 400.0], [1.0, 10.0, 100.0]).ratio


def test_samples_that_are_no_pairs_are_compared_by_their_medians() -> None:
    assert 4.0 == figure([4.0, 8.0, 12.0], [1.0, 3.0]).ratio


@pytest.mark.parametrize("floor", [[], [0.0]])
def test_there_is_no_ratio_without_a_floor(floor: list[float]) -> None:
    assert figure([1.0], floor).ratio is None


def test_a_row_shows_medians_and_the_middle_eight_tenths_where_there_are_enough_samples() -> None:
    shown = cells(figure([float(number) for number in range(1000, 1011)], [2.5, 2.5, 3.5]))

    assert ("work", "1,005 ms (1,001 to 1,009)", "2.50 ms: the least") == shown[:3]
    assert ("", "", "9 ms") == shown[4:]


def test_figures_travel_as_json() -> None:
    goal = Goal.at_most(3, "ms", 2, because="2 + 1")
    found = [figure([1.0, 2.0], [0.5, 0.5]), replace(figure([1.0], []), goal=goal)]

    assert found == from_json(as_json(found))


@pytest.mark.parametrize(("measured", "shown"), [(99.9, "met"), (100, "met"), (100.1, "**missed**")])
def test_a_goal_is_met_up_to_its_limit(measured: float, shown: str) -> None:
    found = replace(figure([measured], []), goal=Goal.at_most(100, "ms", measured, because="as much as is allowed"))

    assert ("≤ 100 ms: as much as is allowed", shown) == cells(found)[4:6]
    assert Goal.at_least(100, "ms", measured).met is (measured >= 100)


def test_sections_are_put_in_the_place_of_those_that_the_page_has() -> None:
    page = f"# Performance\n\nWords.\n\n{MARK}\n\n## The codec\n\nold\n\n## Runs a second\n\nkept\n"

    found = with_sections(page, {"codec": "## The codec\n\nnew\n", "writer": "## The database's writer\n\nfirst\n"})

    sections = "## Runs a second\n\nkept\n\n## The database's writer\n\nfirst\n\n## The codec\n\nnew\n"
    assert f"# Performance\n\nWords.\n\n{MARK}\n\n{sections}" == found
    assert found == with_sections(found, {})


def test_rounds_end_when_the_time_is_over_but_not_before_there_are_enough() -> None:
    assert [0, 1, 2] == list(Effort(share=1.0, seconds=0).rounds(100))
    assert 10 == len(list(Effort(share=0.1, seconds=60).rounds(100)))


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_are_counted_wherever_the_bytes_are_cut(size: int) -> None:
    data = b"".join(b"\0" + len(body).to_bytes(4, "big") + body for body in (b"", b"one", b"x" * 300))
    counter = LineCounter()

    for at in range(0, len(data), size):
        counter.feed(data[at : at + size])

    assert 3 == counter.count
