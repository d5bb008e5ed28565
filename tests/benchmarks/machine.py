"""What one signal of a run costs in the machine, which must not depend on how many tasks the run has.

Usage: python -m tests.benchmarks.machine [--quick]
A run of layers of ten tasks, each of which waits for two of the layer before, is played from its admission to its end:
a start and an exit for each task. Admission, which touches all tasks, is not counted. The floor is the same machine on
the run of 100 tasks.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from gofer.core.machine import apply, decide
from gofer.core.run import Plan, Progress
from gofer.core.step import Admitted, LaunchTask, Signal, Step, TaskExited, TaskStarted
from tests.benchmarks._figures import Effort, Figure, run
from tests.factories import NOW, make_plan, make_progress, make_run

ROUNDS: Final = 7
WIDTH: Final = 10
SIZES: Final = (1000, 20_000)
SMALL: Final = 100


def layers(count: int) -> Mapping[str, Sequence[str]]:
    """Give a graph of so many tasks."""

    def parents(number: int) -> list[str]:
        above = number - number % WIDTH - WIDTH
        return [] if above < 0 else [f"task_{above + (number + step) % WIDTH}" for step in (0, 1)]

    return {f"task_{number}": parents(number) for number in range(count)}


def microseconds_a_signal(plan: Plan) -> float:
    """Play a run to its end."""
    progress = make_progress(plan, run=make_run())
    waiting = [_play(plan, progress, Admitted())]
    signals = 0
    began = time.perf_counter()
    while waiting:
        for effect in waiting.pop().effects:
            if isinstance(effect, LaunchTask):
                _play(plan, progress, TaskStarted(task=effect.task))
                waiting.append(_play(plan, progress, TaskExited(task=effect.task, exit_code=0)))
                signals += 2
    took = time.perf_counter() - began
    if not progress.run.state.is_terminal:
        message = "the run did not end"
        raise RuntimeError(message)
    return took / signals * 1e6


def _play(plan: Plan, progress: Progress, signal: Signal) -> Step:
    step = decide(plan, progress, signal, at=NOW)
    apply(progress, step.changes)
    return step


async def measure(effort: Effort) -> list[Figure]:
    """Play large runs, each beside small ones."""
    small = make_plan(layers(SMALL))
    figures = []
    for size in SIZES:
        plan = make_plan(layers(size))
        ours: list[float] = []
        floor: list[float] = []
        for _ in effort.rounds(ROUNDS):
            ours.append(microseconds_a_signal(plan))
            floor.append(min(microseconds_a_signal(small) for _ in range(3)))
        what = f"a signal in a run of {size:,} tasks"
        figures.append(Figure(what=what, unit="µs", ours=ours, floor=floor, floor_is=f"in a run of {SMALL}"))
    return figures


if __name__ == "__main__":
    run(measure)
