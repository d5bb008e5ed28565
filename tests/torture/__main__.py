"""Kill servers, at every moment, and see whether anything is lost, stuck or doubled.

    ./dev torture [--seed N] [--engine memory|process|docker] [--kills N] [--signal kill|term|both]

Lives share a data folder in batches. Each batch has a seed of its own, counted up from the given one, and is repeated
by the command that a failure prints.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.torture.batch import Case, Outcome, run_case
from tests.torture.lives import Zygote, zygote
from tests.torture.moments import Ending
from tests.torture.pipelines import IMAGE, Engine
from tests.torture.results import RESULTS, keep

KILLS: Final = {Engine.MEMORY: 1_000, Engine.PROCESS: 1_000, Engine.DOCKER: 50}
LIVES: Final = {Engine.MEMORY: 20, Engine.PROCESS: 20, Engine.DOCKER: 5}


def cases(*, engine: Engine, ending: Ending, seed: int, kills: int, lives: int) -> Iterator[Case]:
    """Divide the kills into batches."""
    for number, first in enumerate(range(0, kills, lives)):
        yield Case(engine=engine, ending=ending, seed=seed + number, kills=min(lives, kills - first))


def line_of(outcome: Outcome) -> str:
    """Give a batch in a line, and its faults and how to repeat them below."""
    case, figures = outcome.case, outcome.figures
    line = (
        f"{case.engine} {case.ending} seed {case.seed}: {case.kills} kills, {figures['runs']} runs, "
        f"{figures['task runs']} task runs, {outcome.seconds:.1f} s: {'FAILED' if outcome.faults else 'ok'}"
    )
    if not outcome.faults:
        return line
    return "\n".join([line, *(f"    {fault}" for fault in outcome.faults), f"    repeat it: {case.command()}"])


class Session:
    """Some batches at a time, until there are no more, or no more time."""

    def __init__(self, waiting: deque[Case], *, until: float, results: Path) -> None:
        self._waiting = waiting
        self._until = until
        self._results = results
        self.failed: list[Case] = []

    async def work(self, of: Zygote) -> None:
        """Run batch after batch."""
        while self._waiting and time.monotonic() < self._until:
            outcome = await run_case(self._waiting.popleft(), of)
            keep(outcome, self._results)
            sys.stdout.write(f"{line_of(outcome)}\n")
            sys.stdout.flush()
            if outcome.faults:
                self.failed.append(outcome.case)


def docker_is_there() -> bool:
    """Tell whether a daemon answers and has the image."""
    asked = ("docker", "image", "inspect", IMAGE)
    return (
        shutil.which("docker") is not None and subprocess.run(asked, check=False, capture_output=True).returncode == 0
    )


def engines(asked: str | None) -> list[Engine]:
    """Give the engines to torture; without Docker, and without being asked for it, the others."""
    chosen = [Engine(asked)] if asked else list(Engine)
    if Engine.DOCKER in chosen and not docker_is_there():
        sys.stdout.write(f"left out: docker, as no daemon answers that has {IMAGE}; './dev docker' makes one\n")
        chosen.remove(Engine.DOCKER)
    return chosen


async def main(asked: argparse.Namespace) -> int:
    """Do what was asked; 1 where there was a fault, or nothing that could be done."""
    chosen = engines(asked.engine)
    if not chosen:
        return 1
    waiting = deque(
        case
        for engine in chosen
        for ending in ([Ending(asked.signal)] if asked.signal else Ending)
        for case in cases(
            engine=engine,
            ending=ending,
            seed=asked.seed,
            kills=asked.kills or KILLS[engine],
            lives=asked.lives or LIVES[engine],
        )
    )
    sys.stdout.write(f"seed {asked.seed}, {len(waiting)} batches\n")
    session = Session(waiting, until=time.monotonic() + asked.seconds, results=asked.results)
    async with zygote() as of, asyncio.TaskGroup() as group:
        for number in range(asked.jobs):
            group.create_task(session.work(of), name=f"batches {number}")
    if waiting:
        rest = waiting[0]
        sys.stdout.write(f"out of time: {len(waiting)} batches are left, from {rest.engine} seed {rest.seed} on\n")
    for case in session.failed:
        sys.stdout.write(f"FAILED: {case.command()}\n")
    return int(bool(session.failed))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./dev torture", description="Kill servers and see what is lost.")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first batch (default: another one)")
    parser.add_argument("--engine", choices=[each.value for each in Engine], help="only this one")
    parser.add_argument("--signal", choices=[each.value for each in Ending], help="only this one")
    parser.add_argument("--kills", type=int, help="for each engine and signal (default: 1000, on Docker 50)")
    parser.add_argument("--lives", type=int, help="that share a data folder (default: 20, on Docker 5)")
    parser.add_argument("--jobs", type=int, default=2, help="batches at a time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further batch after so long")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where a line is added for each batch")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
