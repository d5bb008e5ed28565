"""What the programs cost by themselves: the idle server, its start, and the command line.

Usage: python -m tests.benchmarks.process [--quick]
The floors are imports of what none of them can leave out.
"""

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import deploy, task
from tests.benchmarks._server import ROOT, Process, gofer

ROUNDS: Final = 15
QUIET_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 20.0
START_SECONDS: Final = 30
GOFER: Final = (sys.executable, "-m", "gofer")
PASS: Final = (sys.executable, "-c", "pass")
TYPER: Final = (sys.executable, "-c", "import typer")
MESSAGES: Final = (sys.executable, "-c", "import typer, grpclib.client; from gofer_sdk._proto import proto")
LIBRARIES: Final = (
    "import asyncio, ssl, sqlite3, aiodocker, aiosqlite, betterproto2, cryptography.x509, grpclib.server, nacl.secret, "
    "structlog; from gofer_sdk._proto import proto"
)
HOLD: Final = (sys.executable, "-c", f"{LIBRARIES}; print('ready 0', flush=True); input()")


@dataclass(frozen=True, slots=True)
class Samples:
    """Of one program: milliseconds by the clock and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def sample(command: Sequence[str], samples: Samples) -> None:
    """Run a program to its end."""
    began = time.perf_counter()
    nothing = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], list(command), os.environ, file_actions=nothing)
    _, status, usage = os.wait4(child, 0)
    samples.wall.append((time.perf_counter() - began) * 1000)
    samples.cpu.append((usage.ru_utime + usage.ru_stime) * 1000)
    if status:
        message = f"{' '.join(command)} failed"
        raise RuntimeError(message)


async def milliseconds_to_ready(folder: Path) -> float:
    """Start the server as a service manager does, wait for its word, and stop it."""
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (folder / "start.log").open("ab") as log:
        manager.bind(str(path))
        manager.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        environment = os.environ | {
            "HOME": str(folder),
            "NOTIFY_SOCKET": str(path),
            "GOFER_SERVER__HOST": "127.0.0.1:0",
            "GOFER_SERVER__STORAGE_PATH": str(folder / "data" / "gofer.db"),
            "GOFER_SCHEDULER__ENGINE": "process",
        }
        began = time.perf_counter()
        server = await asyncio.create_subprocess_exec(
            *(*GOFER, "service", "start", "--dev-mode"), cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.get_running_loop().sock_recv(manager, 4096)
            return (time.perf_counter() - began) * 1000
        finally:
            server.terminate()
            await server.wait()
            path.unlink()


async def idle_megabytes(folder: Path) -> float:
    """Let a server do nothing for a while; the memory that it holds then."""
    async with gofer(folder, "docker") as server:
        await asyncio.sleep(QUIET_SECONDS)
        return server.rss_megabytes()


async def idle_percent(folder: Path, seconds: float) -> float:
    """Let a server do nothing for a while; the share of one processor that it takes."""
    async with gofer(folder, "docker") as server:
        await asyncio.sleep(QUIET_SECONDS)
        before = server.cpu_seconds()
        await asyncio.sleep(seconds)
        return (server.cpu_seconds() - before) / seconds * 100


async def libraries_megabytes() -> float:
    """Give the memory of a program that has imported the server's libraries and messages, and nothing else."""
    program = await asyncio.create_subprocess_exec(
        *HOLD, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    await program.stdout.readline()
    megabytes = Process(process=program, port=0).rss_megabytes()
    await program.communicate(b"\n")
    return megabytes


async def measure(effort: Effort) -> list[Figure]:
    """Start and ask."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = await _command_line(folder, effort)
        starts: list[float] = []
        floor = Samples()
        for _ in effort.rounds(ROUNDS):
            starts.append(await milliseconds_to_ready(folder))
            sample((sys.executable, "-c", LIBRARIES), floor)
        idle = [await idle_megabytes(folder) for _ in effort.rounds(3)]
        libraries = [await libraries_megabytes() for _ in idle]
        percent = await idle_percent(folder, IDLE_SECONDS)
    return [
        Figure(
            what="idle server, memory (RSS)",
            unit="MB",
            ours=idle,
            floor=libraries,
            floor_is="its libraries imported",
            predecessor="28 MB",
            goal=Goal.at_most(80, "MB", statistics.median(idle)),
        ),
        Figure(
            what=f"idle server, CPU over {IDLE_SECONDS:.0f} s",
            unit="%",
            ours=[percent],
            goal=Goal.at_most(0.2, "%", percent),
        ),
        Figure(
            what="start of the server to ready",
            unit="ms",
            ours=starts,
            floor=floor.wall,
            floor_is="importing its libraries",
            predecessor="30 ms",
            goal=Goal.at_most(1200, "ms", statistics.median(starts)),
        ),
        *commands,
    ]


async def _command_line(folder: Path, effort: Effort) -> list[Figure]:
    samples: dict[tuple[str, ...], Samples] = {command: Samples() for command in (PASS, TYPER, MESSAGES)}
    async with gofer(folder, "memory") as server, server.client() as client:
        await deploy(client, "only", [task("only")])
        await client.runs.start("only")
        host = f"127.0.0.1:{server.port}"
        helped, listed = (*GOFER, "--help"), (*GOFER, "--host", host, "run", "list", "only")
        samples |= {helped: Samples(), listed: Samples()}
        for _ in effort.rounds(ROUNDS):
            for command, found in samples.items():
                await asyncio.to_thread(sample, command, found)
    return [
        *_figures("gofer --help", samples[helped], samples[TYPER], floor_is="import typer", limit=1.8),
        *_figures(
            "gofer run list",
            samples[listed],
            samples[MESSAGES],
            floor_is="import typer, grpclib and the messages",
            limit=1.4,
        ),
        Figure(what="python -c pass", unit="ms", ours=samples[PASS].wall),
    ]


def _figures(what: str, ours: Samples, floor: Samples, *, floor_is: str, limit: float) -> list[Figure]:
    wall = Figure(what=f"{what}, wall time", unit="ms", ours=ours.wall, floor=floor.wall, floor_is=floor_is)
    return [
        replace(wall, goal=Goal.at_most(limit, "of the floor", wall.ratio or 0.0)),
        Figure(what=f"{what}, CPU", unit="ms", ours=ours.cpu, floor=floor.cpu, floor_is=floor_is),
    ]


if __name__ == "__main__":
    run(measure)
