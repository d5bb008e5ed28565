"""Let a server work for half an hour, and see whether it holds more in the end than it did after the warm-up.

    ./dev soak [--seconds N] [--into PAGE]

Its clients start, cancel and follow runs, read logs and lists, register configs, and make and delete tokens, secrets
and objects, all at a rate that stays the same. It ends by itself; with a status of 1 where something grew.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gofer_sdk.client import GoferClient, Token
from tests.torture.page import put_into, table
from tests.torture.soak_load import Load
from tests.torture.soak_watch import WARM_UP_SHARE, Figure, Sample, Trend, look, trends

ROOT: Final = Path(__file__).parents[2]
BEGIN: Final = "<!-- made by tests.torture.soak -->"
HALF_AN_HOUR: Final = 1800.0
MOST_SECONDS: Final = 24 * 3600.0
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 120.0
_LOOKS: Final = 240
_SHORTEST_LOOK: Final = 0.25
_REST_SECONDS: Final = 5.0
MOST_FAULTS: Final = 20
REST_SLACK: Final = 2
"""Threads and connections to databases that are made when so many are wanted at once for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What a soak came to. `rest` is what the server held with nothing to do: before the load, and after it."""

    seconds: float
    seed: int
    at: datetime
    trends: Sequence[Trend]
    rest: tuple[Mapping[Figure, float], Mapping[Figure, float]]
    done: Counter[str]
    refused: Counter[str]
    logged: Sequence[str]

    def faults(self) -> Iterator[str]:
        """Say what is not as it should be."""
        for trend in self.trends:
            if not trend.is_right:
                yield f"{trend.figure}: {trend.first:.2f} after the warm-up, {trend.last:.2f} in the end"
        before, after = self.rest
        for figure in (Figure.DESCRIPTORS, Figure.THREADS):
            if after[figure] > before[figure] + REST_SLACK:
                yield f"{figure} with nothing to do: {before[figure]:.0f} before, {after[figure]:.0f} afterwards"
        yield from (f"{count} times: {what}" for what, count in self.refused.items())
        yield from (f"logged: {line}" for line in self.logged[:MOST_FAULTS])


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.torture.soak_server", str(folder)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            words = (await process.stdout.readline()).split()
        if words[:1] != [b"ready"]:
            message = f"the server did not start; see {folder}/server.log"
            raise RuntimeError(message)
        yield process, int(words[1])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class _Watch:
    """Looks at the server again and again while it works, and says now and then how it goes."""

    def __init__(self, *, pid: int, folder: Path, load: Load) -> None:
        self.samples: list[Sample] = []
        self._pid, self._folder, self._load = pid, folder, load

    async def run(self, seconds: float) -> None:
        """Have the server work for so long, and until all that was begun has ended."""
        async with asyncio.timeout(seconds + _END_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(self._load.run(), name="load")
            await self._look_for(seconds)
            self._load.stop()

    async def at_rest(self, seconds: float) -> Mapping[Figure, float]:
        """Wait until what has closed is closed at the other end too, and look."""
        await asyncio.sleep(seconds)
        return await self._look()

    async def _look_for(self, seconds: float) -> None:
        began = time.monotonic()
        said = 0.0
        while (at := time.monotonic() - began) < seconds:
            figures = await self._look()
            self.samples.append(Sample(at_seconds=at, runs=self._load.runs, figures=figures))
            if at >= said:
                said += max(seconds / 30, 10.0)
                _say(f"{at:6.0f} s, {self._load.runs} runs: {_line_of(figures)}")
            await asyncio.sleep(max(seconds / _LOOKS, _SHORTEST_LOOK))

    async def _look(self) -> Mapping[Figure, float]:
        return await asyncio.to_thread(look, self._pid, self._folder)


def _line_of(figures: Mapping[Figure, float]) -> str:
    return ", ".join(f"{figure.value} {value:.2f}" for figure, value in figures.items())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def soak(folder: Path, *, seconds: float, seed: int, rest_seconds: float = _REST_SECONDS) -> Soak:
    """Let a server of a folder work for so long, with a rest after the warm-up and one in the end."""
    async with _server(folder) as (process, port):
        async with GoferClient(f"127.0.0.1:{port}") as nobody:
            token: Token = (await nobody.tokens.bootstrap()).token
        load = Load(port=port, token=token, seed=seed)
        await load.prepare()
        watch = _Watch(pid=process.pid, folder=folder, load=load)
        await watch.run(seconds * WARM_UP_SHARE)
        before = await watch.at_rest(rest_seconds)
        watch.samples.clear()
        await watch.run(seconds * (1 - WARM_UP_SHARE))
        after = await watch.at_rest(rest_seconds)
    return Soak(
        seconds=seconds,
        seed=seed,
        at=datetime.now(UTC),
        trends=trends(watch.samples),
        rest=(before, after),
        done=load.done,
        refused=load.refused,
        logged=(folder / "server.log").read_text(errors="replace").splitlines(),
    )


# ---------------------------------------------------------------- what is told of it


def section(found: Soak) -> str:
    """Give what the page tells, in Markdown."""
    head = ("figure", "after the warm-up", "in the end", "highest", "slope an hour", "a thousand runs", "flat")
    rows = [head, *(_row(trend) for trend in found.trends)]
    done = [("what clients did", "times"), *((what, f"{count:,}") for what, count in sorted(found.done.items()))]
    rest = [
        ("with nothing to do", "before", "afterwards"),
        *((figure.value, f"{found.rest[0][figure]:.1f}", f"{found.rest[1][figure]:.1f}") for figure in _RESTING),
    ]
    minutes = found.seconds / 60
    told = (
        f"{found.at:%Y-%m-%d}, {minutes:.0f} minutes, the first {WARM_UP_SHARE * minutes:.0f} of them the warm-up, "
        f"seed {found.seed}, on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; "
        f"faults: {len(list(found.faults()))}."
    )
    return "\n".join([told, "", *table(rows), "", *table(rest), "", *table(done)])


_RESTING: Final = (Figure.RSS, Figure.DESCRIPTORS, Figure.THREADS)


def _row(trend: Trend) -> tuple[str, ...]:
    flat = "yes" if trend.is_flat else "grows with the runs that are kept" if trend.is_right else "NO"
    return (
        trend.figure.value,
        f"{trend.first:.2f}",
        f"{trend.last:.2f}",
        f"{trend.highest:.2f}",
        f"{trend.an_hour:+.2f}",
        f"{trend.a_thousand_runs:+.3f}",
        flat,
    )


def keep(found: Soak, folder: Path) -> Path:
    """Keep what it came to, for whoever wants to look closer."""
    target = folder / "soak.json"
    content = {
        "at": found.at.isoformat(timespec="seconds"),
        "seconds": found.seconds,
        "seed": found.seed,
        "done": found.done,
        "faults": list(found.faults()),
        "trends": {each.figure: [each.first, each.last, each.highest, each.an_hour] for each in found.trends},
    }
    folder.mkdir(exist_ok=True)
    target.write_text(json.dumps(content, indent=1) + "\n")
    return target


def main() -> int:
    """Do what was asked; 1 where something grew or failed."""
    parser = argparse.ArgumentParser(prog="./dev soak", description="Let a server work, and see what grows.")
    parser.add_argument("--seconds", type=float, default=HALF_AN_HOUR, help="for how long (default: half an hour)")
    parser.add_argument("--seed", type=int, default=1, help="of what the clients choose")
    parser.add_argument("--into", type=Path, help="the page to put the result into")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gofer-soak-") as folder:
        found = asyncio.run(soak(Path(folder), seconds=min(asked.seconds, MOST_SECONDS), seed=asked.seed))
    text = section(found)
    _say(f"\n{text}\n\nkept in {keep(found, ROOT / '.dev')}")
    if asked.into is not None:
        put_into(asked.into, text, begin=BEGIN)
    for fault in found.faults():
        _say(f"FAULT: {fault}")
    return int(any(found.faults()))


if __name__ == "__main__":
    sys.exit(main())
