"""Room that comes and goes, by a seed, while runs are started and servers killed: nothing acknowledged is lost."""

import asyncio
import random
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import CallFailed
from tests.integration.faults.faulty import FaultyServer, deploy, faulty_server, log_of, start, task, until_calm

pytestmark = pytest.mark.faults

SEEDS = range(20_261_122, 20_261_130)
LIVES = 3
STROKES = 8
LINES = 2000
WHOLE = b"".join(b"%d\n" % number for number in range(1, LINES + 1))


async def strike(server: FaultyServer, chance: random.Random) -> None:
    """Take the room away, or give it back."""
    match chance.choice(("pages", "files", "room", "room")):
        case "pages":
            await server.ask(f"pages {chance.randrange(4)}")
        case "files":
            server.limit_files(chance.randrange(20_000, 300_000))  # tasks inherit it, and write less
        case _:
            await server.ask("pages -1")
            server.limit_files()


async def started_runs(client: GoferClient, chance: random.Random) -> list[int]:
    """Start some runs; those that were acknowledged."""
    runs = []
    for _ in range(chance.randrange(1, 4)):
        try:
            runs.append(await start(client))
        except CallFailed:
            continue
        await asyncio.sleep(chance.random() / 10)
    return runs


async def live(server: FaultyServer, client: GoferClient, chance: random.Random) -> list[int]:
    """Give the acknowledged runs of one life of a server, which ends by force."""
    runs = []
    for _ in range(STROKES):
        await strike(server, chance)
        runs += await started_runs(client, chance)
    await server.kill()
    return runs


@pytest.mark.parametrize("seed", SEEDS)
async def test_room_that_comes_and_goes_costs_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    marks = tmp_path / "marks"
    script = f"echo $GOFER_RUN_ID >>{marks}; seq {LINES}; sleep 0.1; exit 4"
    acknowledged: list[int] = []
    for life in range(LIVES):
        async with faulty_server(tmp_path, "process") as server, server.impatient() as client:
            if not life:
                await deploy(client, task("work", script))
            acknowledged += await live(server, client, chance)
    async with faulty_server(tmp_path, "process") as last, last.client() as client:
        runs = [run.id async for run in client.runs.each("faults")]
        for run in runs:
            assert (await client.runs.wait("faults", run)).status == proto.RunRunStatus.FAILED
            assert (await client.task_runs.get("faults", run, "work")).exit_code == 4
            assert await log_of(client, run, "work") == WHOLE
        await until_calm(client)

    assert set(acknowledged) <= set(runs)
    assert sorted(map(int, marks.read_text().split())) == sorted(runs)
