"""The server is killed with SIGKILL at any moment of a launch; the next one brings every attempt to its end, once."""

import asyncio
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gofer.engines.process.folder import AttemptFolder
from gofer.engines.process.group import read_boot_id
from gofer.engines.protocols import ContainerState
from gofer.engines.scheduler.process import ProcessEngine
from tests.unit.engines.dying_server import STEPS
from tests.unit.engines.processes import HERE, attempt, engine_in, output, spec_of

ROUNDS_A_STEP = 8
LONGEST_SECONDS = 0.004


@pytest.mark.slow
async def test_a_server_that_is_killed_anywhere_in_a_launch_runs_the_task_once(tmp_path: Path) -> None:
    folder = tmp_path / "process"
    chance = random.Random(7)
    deaths = [(step, chance.random() * LONGEST_SECONDS) for _ in range(ROUNDS_A_STEP) for step in STEPS]
    await kill_servers(folder, deaths)

    async with engine_in(folder) as engine:
        finished = [await finish(engine, run) for run in range(1, len(deaths) + 1)]
        left = [each async for each in engine.owned(HERE)]

    assert any(finished)
    assert not all(finished)
    assert left == []
    assert list(folder.iterdir()) == []


async def kill_servers(folder: Path, deaths: list[tuple[str, float]]) -> None:
    """Start a launch for each death, and kill its server so many seconds after that step."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("dying_server.py")),
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    for run, (step, delay) in enumerate(deaths, 1):
        server.stdin.write(b"%d\n" % run)
        pid = int(await server.stdout.readline())
        await until(server.stdout, step)
        await asyncio.sleep(delay)  # the moment of death is what is tested
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await until(server.stdout, "dead")
    server.stdin.close()
    await server.wait()


async def until(lines: asyncio.StreamReader, wanted: str) -> None:
    while (await lines.readline()).decode().strip() != wanted:
        pass


async def finish(engine: ProcessEngine, run: int) -> bool:
    """Do what a server does after a restart; nothing that ran may run again. False: never made, or removed."""
    spec = spec_of("sh", "-c", "echo ran; exit 7", of=attempt(run))
    found = await engine.find(spec.attempt)
    if found is None:
        return False
    await engine.start(found.handle)
    result = await engine.wait(found.handle)
    written = await output(engine, found.handle)
    await engine.remove(found.handle)
    assert (result.exit_code, written) == (7, b"ran\n")
    return True


def test_a_status_that_is_not_whole_is_none(tmp_path: Path) -> None:
    """On a full disk the file is there before its line is."""
    folder = AttemptFolder(tmp_path, read_boot_id())
    (tmp_path / "claim").write_text("1\n")
    (tmp_path / "shims").write_text("")
    seen = []
    for text in ("", "0", "0\n"):
        (tmp_path / "status").write_text(text)
        found = folder.look()
        assert found is not None
        seen.append((found.status.state, found.status.exit_code))

    assert [(ContainerState.EXITED, 137), (ContainerState.EXITED, 137), (ContainerState.EXITED, 0)] == seen
