"""How many log lines a second reach a 0.6 client, which gets a message for each: read back, and while they are written.

Usage: python -m tests.benchmarks.logs [--quick]
A line has 62 bytes and a newline. The client, another process, counts messages and does nothing with them. The floor
reads the same bytes from a file and sends blocks of messages that were encoded long before, from grpclib with TLS. For
what is live from Docker it is the same container, attached to by hand.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import aiodocker
from aiodocker.containers import DockerContainer

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.codec import encode
from gofer_sdk.errors import NotFound
from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import Process, gofer, started
from tests.benchmarks.docker_run import by_hand_body

ROUNDS: Final = 5
LINES: Final = 300_000
LINE: Final = "x" * 62
SCRIPT: Final = f"sleep 1; yes {LINE} | head -n {LINES}"


@dataclass(frozen=True, slots=True)
class Samples:
    """Lines a second, and the server's processor time for each in microseconds."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


async def read_lines(server: Process, run_id: int) -> tuple[int, float, float]:
    """Read a log to its end with a client of its own."""
    request = proto.GetTaskRunLogsRequest(pipeline_id="lines", run_id=run_id, id="only", namespace_id="default")
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks._line_reader"),
        *(str(server.port), encode(request).hex(), str(LINES)),
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await reader.communicate()
    lines, first, last = answer.split()
    return int(lines), float(first), float(last)


async def sample(server: Process, samples: Samples, run_id: int) -> None:
    """Read a log, and keep what it cost."""
    before = server.cpu_seconds()
    lines, first, last = await read_lines(server, run_id)
    if lines < LINES * 0.98:  # the floor sends whole blocks, whatever is in the file
        message = f"only {lines} of {LINES} lines came"
        raise RuntimeError(message)
    samples.rates.append(lines / (last - first))
    samples.costs.append((server.cpu_seconds() - before) / lines * 1e6)


async def measure(effort: Effort) -> list[Figure]:
    """Read back beside the floor, then live on each engine that is there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").write_text(f"{LINE}\n" * LINES)
        async with started("tests.benchmarks._floor_server", name) as floor:
            figures = await _on_processes(folder, floor, effort)
            if shutil.which("docker"):
                figures += await _live(folder / "on_docker", "docker", floor, effort)
    return figures


async def _on_processes(folder: Path, floor: Process, effort: Effort) -> list[Figure]:
    live = await _live(folder / "on_processes", "process", floor, effort)
    ours, constant = Samples(), Samples()
    async with gofer(folder / "on_processes", "process") as server:
        for number in effort.rounds(ROUNDS):
            for which in (0, 1) if number % 2 else (1, 0):
                await sample((server, floor)[which], (ours, constant)[which], 1)
    what, floor_is = "log lines of 62 bytes, read back", "constant blocks"
    return [
        Figure(
            what=what,
            unit="lines/s",
            ours=ours.rates,
            floor=constant.rates,
            floor_is=floor_is,
            predecessor="35,000 to 47,000/s",
            goal=Goal.at_least(200_000, "lines/s", statistics.median(ours.rates)),
        ),
        Figure(
            what=f"{what}: server's CPU a line", unit="µs", ours=ours.costs, floor=constant.costs, floor_is=floor_is
        ),
        *live,
    ]


async def _live(folder: Path, engine: str, floor: Process, effort: Effort) -> list[Figure]:
    """Follow a task that begins to write a second after it was started."""
    ours, constant = Samples(), Samples()
    folder.mkdir()
    on_docker = engine == "docker"
    async with gofer(folder, engine) as server, server.client() as client, follower(client) as runs:
        await deploy(client, "lines", [task("only", command=["sh", "-c", SCRIPT])])
        for number in effort.rounds(ROUNDS):
            async with asyncio.TaskGroup() as group:
                running = group.create_task(runs.seconds_of_run("lines"), name="run")
                await _begun(client, number + 1)
                await sample(server, ours, number + 1)
                await running
            if on_docker:
                constant.rates.append(await lines_attached())
            else:
                await sample(floor, constant, 1)
    figure = Figure(
        what=f"log lines of 62 bytes, live, {engine} engine",
        unit="lines/s",
        ours=ours.rates,
        floor=constant.rates,
        floor_is="attached to by hand" if on_docker else "constant blocks",
        predecessor="32,000 to 34,000/s" if on_docker else "",
    )
    goal = (
        Goal.at_least(0.8, "of the floor", figure.ratio or 0.0)
        if on_docker
        else Goal.at_least(100_000, "lines/s", statistics.median(ours.rates))
    )
    return [replace(figure, goal=goal)]


async def lines_attached() -> float:
    """Run the container by hand; the lines a second of its output."""
    async with aiodocker.Docker() as docker:
        container = await docker.containers.create({**by_hand_body(), "Cmd": ["sh", "-c", SCRIPT]})
        try:
            return LINES / await _seconds_of_output(container)
        finally:
            await container.delete(force=True)


async def _seconds_of_output(container: DockerContainer) -> float:
    """Run a made container; the seconds from its first bytes to its last."""
    async with container.attach(stdout=True, stderr=True, logs=False) as output:
        await container.start()
        await output.read_out()
        began = time.perf_counter()
        while await output.read_out() is not None:
            pass
    return time.perf_counter() - began


async def _begun(client: GoferClient, run_id: int) -> None:
    """Wait until the task run is there, which a reader needs."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.task_runs.get("lines", run_id, "only")
            except NotFound:
                await asyncio.sleep(0.02)
            else:
                return


if __name__ == "__main__":
    run(measure)
