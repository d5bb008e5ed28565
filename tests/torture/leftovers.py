"""What must not be left when all is over: processes, containers, files."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.torture.ends import Ended
from tests.torture.pipelines import Engine

_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_DATA: Final = re.compile(r"gofer\.db|gofer-secret\.db|gofer\.lock|.*\.(key|pem|crt|lock)|logs|processes")


async def faults_of_leftovers(folder: Path, engine: Engine, instance: str) -> list[str]:
    """Wait until the engine holds nothing of the batch any more; say what stays."""
    deadline = asyncio.get_running_loop().time() + _WAIT_SECONDS
    while True:
        left = [*processes_below(folder)]
        if engine is Engine.PROCESS:
            left += [path.name for path in (folder / "data" / "processes").iterdir()]
        if engine is Engine.DOCKER:
            left += await containers_of(instance)
        if not left or asyncio.get_running_loop().time() > deadline:
            return [f"left behind: {each}" for each in left]
        await asyncio.sleep(_LOOK_SECONDS)


def processes_below(folder: Path) -> Iterator[str]:
    """Give the tasks' processes: those that work below the folder, or that were started with its name."""
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(path / "cwd")  # noqa: PTH115 - a process's own words, not a path of ours
        except OSError:
            continue  # ended meanwhile, or only waits to be reaped
        if where.startswith(str(folder)) or f"{folder}/data/processes" in words:
            yield f"process {path.name}: {words[:200]}"


async def containers_of(instance: str) -> list[str]:
    """Give the containers of a server, running or not."""
    process = await asyncio.create_subprocess_exec(
        *("docker", "ps", "-a", "--filter", f"label=gofer.instance={instance}", "--format", "{{json .}}"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("docker ps failed")
    return [f"container {json.loads(line)['Names']}" for line in said.decode().splitlines()]


def faults_of_files(folder: Path, ended: Ended) -> Iterator[str]:
    """Say which files are there that nobody will ever use again, once the last server has stopped."""
    data = folder / "data"
    for path in data.iterdir():
        if not _DATA.fullmatch(path.name):
            yield f"a file left in the data folder: {path.name}"
    logs = data / "logs"
    known = {
        f"{run.namespace}/{run.pipeline}/{run.id}/{task}"
        for key, run in ended.runs.items()
        for task, found in ended.task_runs[key].items()
        if not found.logs_removed
    }
    for path in logs.rglob("*"):
        name = str(path.relative_to(logs))
        if path.is_file() and name.removesuffix(".index") not in known:
            yield f"a log that is nobody's: {name}"
