"""A real server as a process of its own, set up as in production but for auth: JSON logs, in a file.

python -m tests.benchmarks._server DATA_FOLDER ENGINE

Prints `ready PORT` once it serves, and ends with SIGTERM. With GOFER_BENCH_PROFILE=FILE it writes cProfile's data
there; with GOFER_BENCH_MOMENTS=FILE the moments that `moments` reads, with GOFER_BENCH_HOLDS=FILE what `holds` reads;
with GOFER_BENCH_SWITCH_INTERVAL=SECONDS a thread may hold the interpreter for so long.
"""

import asyncio
import cProfile
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gofer.app import Probes, running_app, settle
from gofer.config.address import Address
from gofer.config.load import load_settings
from gofer.config.settings import Settings
from gofer.core.events import Envelope
from gofer.core.ids import TaskRunKey
from gofer.lifecycle import stop_on_signals
from gofer.logging import set_up_logging
from gofer.sqlite import GroupStep
from gofer.workers.launching import LaunchStep
from gofer_sdk.client import GoferClient
from tests.benchmarks._figures import cpu_seconds

ROOT: Final = Path(__file__).parents[2]
MOST_OBJECT_BYTES: Final = 2 * 1024**3
_START_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A server that benchmarks ask: Gofer's, or a floor's."""

    process: asyncio.subprocess.Process
    port: int

    def client(self) -> GoferClient:
        """Give a client of it."""
        return GoferClient(f"127.0.0.1:{self.port}")

    def cpu_seconds(self) -> float:
        """Tell how much processor time it has used."""
        return cpu_seconds(self.process.pid)

    def rss_megabytes(self) -> float:
        """Tell how much memory it holds, in units of 10^6 bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def peak_megabytes(self) -> float:
        """Tell the most memory that it ever held, in units of 10^6 bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


@asynccontextmanager
async def gofer(folder: Path, engine: str, **environment: str) -> AsyncIterator[Process]:
    """Run a server with its data below `folder` for the length of the block."""
    async with started("tests.benchmarks._server", str(folder), engine, **environment) as process:
        yield process


@asynccontextmanager
async def started(module: str, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run a module that prints `ready PORT`, for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            words = (await process.stdout.readline()).split()
        if words[:1] != [b"ready"]:
            message = f"{module} did not start"
            raise RuntimeError(message)
        yield Process(process=process, port=int(words[1]))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def settings_of(folder: Path, engine: str) -> Settings:
    """Give production's settings but for auth, with everything below one folder."""
    settings = load_settings(config_path=None, dev_mode=True, environment={}, home=folder).settings
    return replace(
        settings,
        server=replace(
            settings.server,
            host=Address(host="127.0.0.1", port=0),
            address=Address(host="127.0.0.1", port=0),
            storage_path=folder / "data" / "gofer.db",
        ),
        task_run_logs_dir=folder / "data" / "logs",
        development=replace(settings.development, pretty_logging=False),
        scheduler=replace(settings.scheduler, engine=engine),
        object_store=replace(settings.object_store, object_size_limit_bytes=MOST_OBJECT_BYTES),
    )


def moments(path: Path, kind: str) -> dict[str, float]:
    """Read when each thing of a kind happened, by the clock that all processes share.

    A kind is a launch step, told by its task run (`pipeline/run/task`), or `committed`, told by the event's id.
    """
    found = (line.split() for line in path.read_text().splitlines())
    return {what: float(at) for each, what, at in found if each == kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """For how long a commit held the writer, from its beginning until the disk had it; and its thread's own time."""

    milliseconds: float
    cpu_milliseconds: float


def holds(path: Path) -> list[Hold]:
    """Read what GOFER_BENCH_HOLDS has named."""
    found = (line.split() for line in path.read_text().splitlines())
    return [Hold(milliseconds=float(wall), cpu_milliseconds=float(cpu)) for wall, cpu in found]


class _Holds:
    """Measures commits, on the writer's thread."""

    def __init__(self) -> None:
        self._began = (0.0, 0.0)
        self._found: list[tuple[float, float]] = []

    def observe(self, step: GroupStep) -> None:
        """Take the time."""
        if step is GroupStep.BEGUN:
            self._began = (time.perf_counter(), time.thread_time())
        elif step is GroupStep.COMMITTED:
            wall, cpu = self._began
            self._found.append((time.perf_counter() - wall, time.thread_time() - cpu))

    def write(self, path: Path) -> None:
        """Write what was found."""
        path.write_text("".join(f"{wall * 1000} {cpu * 1000}\n" for wall, cpu in self._found))


class _Moments:
    """Keeps the moments that are asked for, and writes them at the end."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str, float]] = []

    def probes(self) -> Probes:
        """Look in."""
        return Probes(observe=self._observe, committed=self._committed)

    def write(self, path: Path) -> None:
        """Write what was kept."""
        path.write_text("".join(f"{kind} {what} {at}\n" for kind, what, at in self._found))

    def _observe(self, step: LaunchStep, key: TaskRunKey) -> None:
        self._found.append((step.value, f"{key.pipeline}/{key.run}/{key.task}", time.monotonic()))

    def _committed(self, envelope: Envelope) -> None:
        self._found.append(("committed", str(envelope.id), time.monotonic()))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    wanted, kept = os.environ.get("GOFER_BENCH_MOMENTS"), _Moments()
    wanted_holds, held = os.environ.get("GOFER_BENCH_HOLDS"), _Holds()
    probes = kept.probes() if wanted else Probes(group=held.observe) if wanted_holds else None
    try:
        await _serve_until(stop, settings, probes)
    finally:
        if wanted:
            kept.write(Path(wanted))
        if wanted_holds:
            held.write(Path(wanted_holds))


async def _serve_until(stop: asyncio.Event, settings: Settings, probes: Probes | None) -> None:
    with stop_on_signals(stop.set):
        async with running_app(settings, probes=probes) as app:
            if interval := os.environ.get("GOFER_BENCH_SWITCH_INTERVAL"):
                sys.setswitchinterval(float(interval))
            settle()
            sys.stdout.write(f"ready {app.server.port}\n")
            sys.stdout.flush()
            await stop.wait()


def main() -> None:
    """Serve until a signal comes."""
    folder, engine = Path(sys.argv[1]), sys.argv[2]
    settings = settings_of(folder, engine)
    profile = os.environ.get("GOFER_BENCH_PROFILE")
    profiler = cProfile.Profile(time.thread_time) if profile else None
    with (folder / "server.log").open("ab") as log, set_up_logging(settings, stream=log):
        if profiler is None:
            asyncio.run(_serve(settings))
        else:
            profiler.runcall(asyncio.run, _serve(settings))
    if profiler is not None and profile:
        profiler.dump_stats(profile)


if __name__ == "__main__":
    main()
