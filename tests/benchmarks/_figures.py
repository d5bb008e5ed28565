"""What a benchmark gives: figures beside the floor that was measured in the same run, and how they are printed."""

import argparse
import asyncio
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

QUICK_SHARE: Final = 0.1
PART_SECONDS: Final = 150
ENOUGH_SECONDS: Final = 200
"""After so long no more than the least is measured, so that a busy machine gives fewer samples and not a long wait."""
GIVE_UP_SECONDS: Final = 290
"""When something hangs; a benchmark that needs more says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a figure should be, in words, and whether it is."""

    words: str
    met: bool

    @classmethod
    def at_most(cls, limit: float, unit: str, measured: float, *, because: str = "") -> "Goal":
        """Want no more than the limit; `because` says where it comes from."""
        return cls(words=_worded("≤", limit, unit, because), met=measured <= limit)

    @classmethod
    def at_least(cls, limit: float, unit: str, measured: float, *, because: str = "") -> "Goal":
        """Want no less than the limit."""
        return cls(words=_worded("≥", limit, unit, because), met=measured >= limit)


def _worded(sign: str, limit: float, unit: str, because: str) -> str:
    text = f"{sign} {number(limit)} {unit}".strip()
    return f"{text}: {because}" if because else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: samples of ours and of the floor, pair by pair where there are as many of both.

    `floor` is empty where nothing could be a floor; `predecessor` is what 0.6.2 did, in its own words, where known.
    """

    what: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    floor_is: str = ""
    predecessor: str = ""
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the floor: the median over the pairs, else the ratio of the medians; None without a floor."""
        if not self.floor or not all(self.floor):
            return None
        if len(self.ours) == len(self.floor):
            return statistics.median(ours / floor for ours, floor in zip(self.ours, self.floor, strict=True))
        return statistics.median(self.ours) / statistics.median(self.floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure: a share of the wanted samples, and in any case no longer than so many seconds.

    `until` is when all of it should be over, by the monotonic clock.
    """

    share: float
    seconds: float
    until: float = math.inf

    def rounds(self, count: int, *, least: int = 3) -> Iterator[int]:
        """Count rounds from 0, until there are enough or the time is over."""
        began = time.monotonic()
        for number in range(max(least, round(count * self.share))):
            now = time.monotonic()
            if number >= least and (now - began > self.seconds or now > self.until):
                return
            yield number


Measure = Callable[[Effort], Awaitable[list[Figure]]]


def run(measure: Measure, *, give_up_seconds: float = GIVE_UP_SECONDS) -> None:
    """Be the program of one benchmark: `--quick` takes a tenth of the samples, `--json` is for the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the samples for the report")
    asked = parser.parse_args()
    until = time.monotonic() + ENOUGH_SECONDS
    seconds = 10 if asked.quick else PART_SECONDS
    effort = Effort(share=QUICK_SHARE if asked.quick else 1.0, seconds=seconds, until=until)
    figures = asyncio.run(_measured(measure, effort, give_up_seconds))
    sys.stdout.write(as_json(figures) if asked.json else as_text(figures))


async def _measured(measure: Measure, effort: Effort, give_up_seconds: float) -> list[Figure]:
    async with asyncio.timeout(give_up_seconds):
        return await measure(effort)


def as_json(figures: Iterable[Figure]) -> str:
    """Write figures for `from_json`."""
    return json.dumps([asdict(figure) for figure in figures])


def from_json(text: str) -> list[Figure]:
    """Read what `as_json` wrote."""
    return [Figure(**found | {"goal": found["goal"] and Goal(**found["goal"])}) for found in json.loads(text)]


def as_text(figures: Iterable[Figure]) -> str:
    """Print for people who watch one benchmark."""
    return "".join(f"{' | '.join(cells(figure))}\n" for figure in figures)


def cells(figure: Figure) -> tuple[str, ...]:
    """Give the row's cells: what, ours, the floor, the ratio, the goal, whether it is met, the predecessor."""
    floor = f"{shown(figure.floor, figure.unit)}: {figure.floor_is}" if figure.floor else figure.floor_is
    ratio = figure.ratio
    return (
        figure.what,
        shown(figure.ours, figure.unit),
        floor,
        "" if ratio is None else f"{ratio:.2f}",
        "" if figure.goal is None else figure.goal.words,
        "" if figure.goal is None else "met" if figure.goal.met else "**missed**",
        figure.predecessor,
    )


def shown(samples: Sequence[float], unit: str) -> str:
    """Give the median, and the range of the middle eight tenths where there are enough samples to speak of one."""
    median = statistics.median(samples)
    text = f"{number(median)} {unit}"
    if len(samples) < 5:
        return text
    tenths = statistics.quantiles(samples, n=10, method="inclusive")
    return f"{text} ({number(tenths[0])} to {number(tenths[-1])})"


def number(value: float) -> str:
    """Give three digits that matter, and thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cpu_seconds(pid: int) -> float:
    """Tell how much processor time a process has used, in steps of a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(samples: Sequence[float], share: float) -> float:
    """Give the value that this share of the samples stays below."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
