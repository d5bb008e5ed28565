"""The server is killed with SIGKILL at any moment of a launch; the next one brings every attempt to its end, once."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from gofer.engines.scheduler.process import ProcessEngine
from tests.unit.engines.processes import HERE, attempt, engine_in, output, spec_of

ROUNDS = 60
LONGEST_SECONDS = 0.025


@pytest.mark.slow
async def test_a_server_that_is_killed_anywhere_in_a_launch_runs_the_task_once(tmp_path: Path) -> None:
    folder = tmp_path / "process"
    chance = random.Random(7)
    await kill_servers(folder, [chance.random() * LONGEST_SECONDS for _ in range(ROUNDS)])

    async with engine_in(folder) as engine:
        outcomes = [await finish(engine, run) for run in range(1, ROUNDS + 1)]
        left = [each async for each in engine.owned(HERE)]

    assert set(outcomes) <= {"removed", "finished"}
    assert "finished" in outcomes
    assert left == []
    assert list(folder.iterdir()) == []


async def kill_servers(folder: Path, delays_seconds: list[float]) -> None:
    """Start a launch for each delay, and kill its server after that."""
    program = str(Path(__file__).with_name("dying_server.py"))
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    for run, delay in enumerate(delays_seconds, 1):
        server.stdin.write(b"%d\n" % run)
        pid = int(await server.stdout.readline())
        await asyncio.sleep(delay)  # the moment of death is what is tested
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    server.stdin.close()
    await server.wait()


async def finish(engine: ProcessEngine, run: int) -> str:
    """Do what a server does after a restart; nothing that ran may run again."""
    spec = spec_of("sh", "-c", "echo ran; exit 7", of=attempt(run))
    found = await engine.find(spec.attempt)
    if found is None:
        return "removed"  # or never created
    await engine.start(found.handle)
    result = await engine.wait(found.handle)
    written = await output(engine, found.handle)
    await engine.remove(found.handle)
    assert (result.exit_code, written) == (7, b"ran\n")
    return "finished"
