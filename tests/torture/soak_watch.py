"""What a server holds while it is at work, and whether it is the same in the end as after the warm-up."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

SECONDS_AN_HOUR: Final = 3600.0
MEGABYTE: Final = 1e6
WARM_UP_SHARE: Final = 1 / 3
"""How much of the time the server works before anything is measured: caches fill, what is kept reaches its limit."""


class Figure(StrEnum):
    """What is watched, in the unit that its name says."""

    RSS = "RSS, MB"
    DESCRIPTORS = "descriptors"
    THREADS = "threads"
    DATABASE = "database, MB"
    JOURNALS = "write-ahead logs, MB"
    OBJECTS = "object store, MB"
    SECRETS = "secret store, MB"
    LOGS = "logs of tasks, MB"
    FILES = "files"
    OTHER = "other files, MB"


SLACK: Final[Mapping[Figure, float]] = {
    Figure.RSS: 4.0,
    Figure.DESCRIPTORS: 8.0,
    Figure.THREADS: 2.0,
    Figure.DATABASE: 1.0,
    Figure.JOURNALS: 4.0,
    Figure.OBJECTS: 1.0,
    Figure.SECRETS: 0.2,
    Figure.LOGS: 1.0,
    Figure.FILES: 50.0,
    Figure.OTHER: 0.2,
}
"""By how much a figure may differ over the measured time where its share says less: what comes and goes anyway."""
SHARE: Final = 0.05

KEPT_OF_A_THOUSAND_RUNS: Final[Mapping[Figure, float]] = {Figure.DATABASE: 8.0}
"""What is never removed: the rows of runs and of their tasks."""

_FILES: Final = {"gofer.db": Figure.DATABASE, "gofer-object.db": Figure.OBJECTS, "gofer-secret.db": Figure.SECRETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there was at a moment, in seconds since the beginning, after so many runs."""

    at_seconds: float
    runs: int
    figures: Mapping[Figure, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How a figure went: its first and last level by a straight line through all samples, in the figure's unit."""

    figure: Figure
    first: float
    last: float
    highest: float
    an_hour: float
    a_thousand_runs: float

    @property
    def is_flat(self) -> bool:
        """Whether it stayed as it was, but for what comes and goes."""
        return self.last - self.first <= max(SLACK[self.figure], SHARE * self.first)

    @property
    def is_right(self) -> bool:
        """Whether it is flat, or grows by no more than is kept of each run on purpose."""
        most = KEPT_OF_A_THOUSAND_RUNS.get(self.figure)
        return self.is_flat or (most is not None and self.a_thousand_runs <= most)


def look(pid: int, folder: Path) -> dict[Figure, float]:
    """Look what a process holds, and what lies below its folder."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    found = dict.fromkeys(Figure, 0.0)
    found[Figure.RSS] = int(status["VmRSS"].split()[0]) * 1024 / MEGABYTE
    found[Figure.THREADS] = float(status["Threads"])
    found[Figure.DESCRIPTORS] = float(len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - names are enough
    for figure, size_bytes in _files(folder):
        found[figure] += size_bytes / MEGABYTE
        found[Figure.FILES] += 1
    return found


def _files(folder: Path) -> Iterator[tuple[Figure, int]]:
    logs = str(folder / "data" / "logs")
    for below, _, names in os.walk(folder):
        for name in names:
            path = Path(below, name)
            try:
                size_bytes = path.stat().st_size
            except FileNotFoundError:
                continue  # removed meanwhile
            yield _figure_of(name, is_log=below.startswith(logs)), size_bytes


def _figure_of(name: str, *, is_log: bool) -> Figure:
    if is_log:
        return Figure.LOGS
    if name.endswith("-wal"):
        return Figure.JOURNALS
    return _FILES.get(name, Figure.OTHER)


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Give the trend of each figure. Raises ValueError where there are fewer than three samples."""
    if len(samples) < 3:
        raise ValueError("too few samples for a trend")
    return [_trend(figure, samples) for figure in Figure]


def _trend(figure: Figure, measured: Sequence[Sample]) -> Trend:
    values = [sample.figures[figure] for sample in measured]
    times = [sample.at_seconds for sample in measured]
    slope, level = line_through(times, values)
    runs = measured[-1].runs - measured[0].runs
    growth = slope * (times[-1] - times[0])
    return Trend(
        figure=figure,
        first=level + slope * times[0],
        last=level + slope * times[-1],
        highest=max(values),
        an_hour=slope * SECONDS_AN_HOUR,
        a_thousand_runs=1000 * growth / runs if runs else 0.0,
    )


def line_through(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Give the slope of the line with the least squares, and its value at 0."""
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    return slope, middle_y - slope * middle_x
