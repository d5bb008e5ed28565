"""Logs by the byte: written by a task, read by the command line, and one of a gigabyte.

Usage: python -m tests.benchmarks.log_bytes [--quick]
What is written is lines of 1 KB, as fast as a pipe gives them. The floors: the same bytes from the same program into a
file, the same container read by hand, and a gigabyte read from the file by `tail`.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final

import aiodocker

from gofer_sdk.client import GoferClient, Tail
from tests.benchmarks._by_hand import IMAGE, run_container
from tests.benchmarks._figures import Effort, Figure, Goal, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import ROOT, Process, gofer
from tests.benchmarks.docker_run import by_hand_body

ROUNDS: Final = 3
MEGABYTE: Final = 1_000_000
SOME: Final = 200
ON_DOCKER: Final = 20
GIGABYTE: Final = 1000
LINE: Final = "x" * 999
TAIL: Final = 100


def command(megabytes: int) -> list[str]:
    """Give a command that writes so much."""
    return ["sh", "-c", f"yes {LINE} | head -c {megabytes * MEGABYTE}"]


async def measure(effort: Effort) -> list[Figure]:
    """Write and read."""
    some = SOME if effort.share >= 1 else SOME // 5
    with tempfile.TemporaryDirectory() as name:
        figures = await _on_processes(Path(name) / "processes", effort, some)
        if shutil.which("docker"):
            figures += await _on_docker(Path(name) / "docker", effort)
        figures += await _gigabyte(Path(name) / "large", GIGABYTE if effort.share >= 1 else GIGABYTE // 5)
    return figures


async def _on_processes(folder: Path, effort: Effort, megabytes: int) -> list[Figure]:
    folder.mkdir()
    written: list[float] = []
    floor: list[float] = []
    printed: list[float] = []
    async with gofer(folder, "process") as server, server.client() as client, follower(client) as runs:
        await deploy(client, "bytes", [task("only", command=command(megabytes))])
        for number in effort.rounds(ROUNDS):
            written.append(megabytes / await runs.seconds_of_run("bytes"))
            floor.append(megabytes / await asyncio.to_thread(_seconds_into_file, folder / "floor", megabytes))
            printed.append(megabytes / await asyncio.to_thread(_seconds_printed, server, number + 1))
    return [
        Figure(
            what=f"a task that writes {megabytes} MB on the process engine, start to end",
            unit="MB/s",
            ours=written,
            floor=floor,
            floor_is="the same program into a file",
            goal=Goal.at_least(50, "MB/s", statistics.median(written)),
        ),
        Figure(
            what="`gofer taskrun logs` of it, the start of the program included",
            unit="MB/s",
            ours=printed,
            goal=Goal.at_least(20, "MB/s", statistics.median(printed)),
        ),
    ]


def _seconds_into_file(path: Path, megabytes: int) -> float:
    began = time.perf_counter()
    with path.open("wb") as file:
        subprocess.run(command(megabytes), stdout=file, check=True)
        os.fdatasync(file.fileno())
    return time.perf_counter() - began


def _seconds_printed(server: Process, number: int) -> float:
    words = (
        sys.executable,
        "-m",
        "gofer",
        "--host",
        f"127.0.0.1:{server.port}",
        "taskrun",
        "logs",
        "bytes",
        str(number),
    )
    began = time.perf_counter()
    subprocess.run((*words, "only"), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


async def _on_docker(folder: Path, effort: Effort) -> list[Figure]:
    folder.mkdir()
    ours: list[float] = []
    floor: list[float] = []
    async with gofer(folder, "docker") as server, server.client() as client, follower(client) as runs:
        await deploy(client, "bytes", [task("only", command=command(ON_DOCKER))])
        async with aiodocker.Docker() as docker:
            for _ in effort.rounds(ROUNDS + 2):
                ours.append(ON_DOCKER / await runs.seconds_of_run("bytes"))
                floor.append(ON_DOCKER / await _seconds_attached(docker))
    figure = Figure(
        what=f"a task that writes {ON_DOCKER} MB on Docker, start to end",
        unit="MB/s",
        ours=ours,
        floor=floor,
        floor_is="the same container, attached to by hand",
    )
    return [replace(figure, goal=Goal.at_least(0.8, "of the floor", figure.ratio or 0.0))]


async def _seconds_attached(docker: aiodocker.Docker) -> float:
    began = time.perf_counter()
    container = await docker.containers.create({**by_hand_body(), "Image": IMAGE, "Cmd": command(ON_DOCKER)})
    try:
        await run_container(container)
        return time.perf_counter() - began
    finally:
        await container.delete(force=True)


async def _gigabyte(folder: Path, megabytes: int) -> list[Figure]:
    folder.mkdir()
    async with gofer(folder, "process") as server, server.client() as client, follower(client) as runs:
        await deploy(client, "large", [task("only", command=command(megabytes))])
        seen = await _followed(client, runs, server, megabytes)
        tails = [await _timed(lambda: _last_lines(client)) for _ in range(5)]
        peak = server.peak_megabytes()
        path = next(path for path in (folder / "data" / "logs").rglob("only") if path.is_file())
        floor = [await _timed(lambda: asyncio.to_thread(_tail, path)) for _ in range(5)]
    middle = statistics.median(tails)
    return [
        Figure(
            what=f"the last {TAIL} lines of a log of {megabytes:,} MB",
            unit="ms",
            ours=[each * 1000 for each in tails],
            floor=[each * 1000 for each in floor],
            floor_is="`tail`",
            goal=Goal.at_most(1000, "ms", middle * 1000),
        ),
        Figure(
            what="the server's memory while it is followed: second half against the first",
            unit="",
            ours=[max(seen[len(seen) // 2 :]) / max(seen[: len(seen) // 2])],
            goal=Goal.at_most(1.1, "", max(seen[len(seen) // 2 :]) / max(seen[: len(seen) // 2])),
        ),
        Figure(
            what="the server's memory at its most (RSS)", unit="MB", ours=[peak], goal=Goal.at_most(150, "MB", peak)
        ),
    ]


async def _followed(client: GoferClient, runs: Follower, server: Process, megabytes: int) -> list[float]:
    """Follow a log from its begin to its end while it is written; the server's memory all the while."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runs.seconds_of_run("large"), name="run")
        while not (await client.runs.list("large")).items:  # noqa: ASYNC110 - the server's state, not ours
            await asyncio.sleep(0.01)
        size_bytes, found = await _memory_meanwhile(client, server)
        await running
    if size_bytes != megabytes * MEGABYTE:
        message = f"{size_bytes} bytes came of {megabytes} MB"
        raise RuntimeError(message)
    return found


async def _memory_meanwhile(client: GoferClient, server: Process) -> tuple[int, list[float]]:
    """Read the log to its end; its size, and the server's memory after each ten megabytes."""
    found: list[float] = []
    size_bytes = 0
    async with aclosing(client.task_runs.logs("large", 1, "only")) as chunks:
        async for chunk in chunks:
            if size_bytes // (10 * MEGABYTE) != (size_bytes + len(chunk.data)) // (10 * MEGABYTE):
                found.append(server.rss_megabytes())
            size_bytes += len(chunk.data)
    return size_bytes, found


async def _last_lines(client: GoferClient) -> None:
    size_bytes = 0
    async with aclosing(client.task_runs.logs("large", 1, "only", start=Tail(lines=TAIL))) as chunks:
        async for chunk in chunks:
            size_bytes += len(chunk.data)
    if size_bytes != TAIL * (len(LINE) + 1):
        message = f"{size_bytes} bytes came of {TAIL} lines"
        raise RuntimeError(message)


def _tail(path: Path) -> None:
    subprocess.run(("tail", "-n", str(TAIL), str(path)), stdout=subprocess.DEVNULL, check=True)


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


if __name__ == "__main__":
    run(measure)
