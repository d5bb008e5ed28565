"""Fault upon fault between a server and its engine, by a seed: every run ends right, every task ran once."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.fakes.docker_cutter import DockerCutter, docker_socket
from tests.fakes.waiting import until
from tests.integration.faults.containers import Containers
from tests.integration.faults.faulty import FaultyServer, deploy, faulty_server, log_of, start, task, until_calm

pytestmark = [pytest.mark.docker, pytest.mark.faults]

SEEDS = range(20_261_122, 20_261_130)
LIVES = 3
FAULTS_A_LIFE = 6
LINES = 300
CODES = {"first": 0, "second": 0, "third": 9}
READS = "(GET|HEAD|DELETE) .*|/wait|/attach"  # what the server asks again, whatever the answer's words


def chain() -> Sequence[proto.UserPipelineTaskConfig]:
    names = list(CODES)
    return [
        task(
            name,
            f"i=0; while [ $i -lt {LINES} ]; do echo line $i of {name}; i=$((i+1)); done; sleep 0.2; exit {code}",
            *names[max(0, at - 1) : at],
        )
        for at, (name, code) in enumerate(CODES.items())
    ]


async def strike(cutter: DockerCutter, chance: random.Random) -> None:
    """Disturb the engine for a moment."""
    for_a_moment = chance.random()
    match chance.choice(("cut", "away", "errors", "going down", "slow", "cut answers")):
        case "cut":
            cutter.cut()
            await asyncio.sleep(for_a_moment / 4)
        case "away":
            await cutter.refuse()
            cutter.cut()
            await asyncio.sleep(for_a_moment)
            await cutter.listen()
        case "errors":
            with cutter.answering(READS, "the disk of the engine is broken", status=chance.choice((500, 502, 503))):
                cutter.cut()
                await asyncio.sleep(for_a_moment)
        case "going down":
            with cutter.answering(".", "the daemon is shutting down"):
                await asyncio.sleep(for_a_moment)
        case "slow":
            cutter.delay = timedelta(seconds=for_a_moment / 3)
            await asyncio.sleep(for_a_moment)
            cutter.delay = timedelta()
        case _:
            request = chance.choice(("create", "start", "attach", "wait", "logs", "json", "DELETE"))
            cutter.cut_answer(request, after_bytes=chance.randrange(400))


async def assert_right_end(client: GoferClient, run: int) -> None:
    assert (await client.runs.wait("faults", run)).status == proto.RunRunStatus.FAILED
    assert CODES == {found.id: found.exit_code async for found in client.task_runs.each("faults", run)}
    for name in CODES:
        assert await log_of(client, run, name) == b"".join(
            b"line %d of %s\n" % (at, name.encode()) for at in range(LINES)
        )


async def live(server: FaultyServer, client: GoferClient, cutter: DockerCutter, chance: random.Random) -> list[int]:
    """Give the runs of one life of a server, which ends by force."""
    runs = []
    for _ in range(FAULTS_A_LIFE):
        runs.append(await start(client))
        await strike(cutter, chance)
    await server.kill()
    return runs


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_storm_between_server_and_engine_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    runs: list[int] = []
    async with AsyncExitStack() as stack:
        cutter = await stack.enter_async_context(DockerCutter.before(docker_socket()))
        options = ("docker", "--docker-host", cutter.url)
        async with faulty_server(tmp_path, *options) as first, first.client() as client:
            containers = await stack.enter_async_context((await Containers.of(first)).counting_starts(tmp_path))
            stack.push_async_callback(containers.remove)
            await deploy(client, *chain())
            runs += await live(first, client, cutter, chance)
        for _ in range(LIVES - 1):
            async with faulty_server(tmp_path, *options) as server, server.client() as client:
                runs += await live(server, client, cutter, chance)
        async with faulty_server(tmp_path, *options) as last, last.client() as client:
            for run in runs:
                await assert_right_end(client, run)
            await until_calm(client)
            await until_gone(containers)

        assert containers.starts() == {f"{run}/{name}": 1 for run in runs for name in CODES}


async def until_gone(containers: Containers) -> None:
    async def are_gone() -> bool:
        return await containers.ids() == []

    await until(are_gone)
