"""An engine that is stopped, killed and started again, and one whose machine loses its power. It is the test's own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.fakes.own_docker import OwnDocker, can_start_docker
from tests.fakes.processes import gone
from tests.fakes.waiting import until
from tests.integration.faults.containers import Containers, docker
from tests.integration.faults.faulty import (
    deploy,
    faulty_server,
    log_of,
    start,
    task,
    until_calm,
    until_running,
    until_told,
)

pytestmark = [pytest.mark.docker, pytest.mark.faults, can_start_docker]

FAILED = proto.RunRunStatus.FAILED
ANSWER_SECONDS = 10  # of a server whose engine is the only thing that stands still
FROZEN_SECONDS = 5  # longer than the tasks write
WAIT = "until [ -e /go ]; do sleep 0.05; done"


@asynccontextmanager
async def on(daemon: OwnDocker, folder: Path) -> AsyncIterator[tuple[GoferClient, Containers]]:
    async with faulty_server(folder, "docker", "--docker-host", daemon.url) as server, server.impatient() as client:
        yield client, await Containers.of(server, host=daemon.url)


async def codes_of(client: GoferClient, run: int) -> Mapping[str, int]:
    """Give the exit codes of a run that has failed."""
    assert (await client.runs.wait("faults", run)).status == FAILED
    return {found.id: found.exit_code async for found in client.task_runs.each("faults", run)}


async def go(containers: Containers) -> None:
    """Let all tasks go on that wait."""
    for container in await containers.ids("label=gofer.task=waits"):
        await docker("exec", container, "touch", "/go", host=containers.host)


async def until_gone(containers: Containers) -> None:
    async def are_gone() -> bool:
        return await containers.ids() == []

    await until(are_gone)


def numbered(count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(count))


async def test_with_live_restore_tasks_outlive_their_engine(tmp_path: Path) -> None:
    writes = "i=0; while [ $i -lt 80 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 3"
    async with OwnDocker.running() as daemon, on(daemon, tmp_path) as (client, containers):
        await deploy(
            client,
            task("writes", writes),
            task("ends", "echo line 0; sleep 2; exit 4"),
            task("waits", f"{WAIT}; exit 5"),
        )
        run = await start(client)
        for name in ("writes", "ends", "waits"):
            await until_running(client, run, name)
        await daemon.kill()
        await until_told(client, "the connection to Docker failed")
        meanwhile = await start(client)
        states = {found.state async for found in client.task_runs.each("faults", run)}
        await daemon.start()
        await daemon.stop()
        await daemon.start()
        await until_running(client, meanwhile, "waits")
        await go(containers)

        assert states == {proto.TaskRunTaskRunState.RUNNING}
        for each in (run, meanwhile):
            assert await codes_of(client, each) == {"writes": 3, "ends": 4, "waits": 5}
            assert await log_of(client, each, "writes") == numbered(80)
            assert await log_of(client, each, "ends") == numbered(1)
        await until_calm(client)
        await until_gone(containers)


CODES = {  # Docker ends tasks when it stops, and those of its predecessor when it starts; 255: it knows no code
    "stop": {"polite": 6, "waits": 143, "done": 7},
    "kill": {"polite": 6, "waits": 143, "done": 7},
    "lose_power": {"polite": 255, "waits": 255, "done": 7},
}


@pytest.mark.parametrize("end", list(CODES))
async def test_without_live_restore_tasks_end_with_their_engine_and_say_how(tmp_path: Path, end: str) -> None:
    polite = "trap 'echo bye; exit 6' TERM; echo line 0; while :; do sleep 0.05; done"
    async with OwnDocker.running(live_restore=False) as daemon, on(daemon, tmp_path) as (client, containers):
        await deploy(
            client, task("polite", polite), task("done", "echo line 0; exit 7"), task("waits", f"{WAIT}; exit 5")
        )
        run = await start(client)
        for name in ("polite", "waits"):
            await until_running(client, run, name)

        async def is_done() -> bool:
            return (await client.task_runs.get("faults", run, "done")).exit_code == 7

        await until(is_done)
        await {"stop": daemon.stop, "kill": daemon.kill, "lose_power": daemon.lose_power}[end]()
        await until_told(client, "the connection to Docker failed")
        await daemon.start()
        codes = await codes_of(client, run)
        afterwards = await start(client)
        await until_running(client, afterwards, "waits")

        assert codes == CODES[end]
        assert await log_of(client, run, "polite") == b"line 0\n" + (b"" if end == "lose_power" else b"bye\n")
        await client.task_runs.cancel("faults", afterwards, "polite")
        await go(containers)
        assert (await codes_of(client, afterwards))["waits"] == 5
        await until_calm(client)


async def test_what_a_task_writes_and_ends_with_while_its_engine_is_away_may_be_lost_but_not_its_code(
    tmp_path: Path,
) -> None:
    """It waits in a pipe of Docker's helper, which goes with its task."""
    script = f"echo line 0; {WAIT}; sleep 1; echo line 1; exit 5"
    async with OwnDocker.running() as daemon, on(daemon, tmp_path) as (client, containers):
        await deploy(client, task("waits", script))
        run = await start(client)
        await until_running(client, run, "waits")

        async def has_begun() -> bool:
            return await log_of(client, run, "waits", follow=False) == numbered(1)

        await until(has_begun)
        state = await docker("inspect", "--format={{.State.Pid}}", *await containers.ids(), host=daemon.url)
        await go(containers)
        await daemon.kill()
        await gone(int(state))
        await daemon.start()

        assert await codes_of(client, run) == {"waits": 5}
        assert await log_of(client, run, "waits") in {numbered(1), numbered(2)}
        await until_gone(containers)


async def test_an_engine_that_is_frozen_holds_its_tasks_up_and_nothing_else(tmp_path: Path) -> None:
    writes = "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 3"
    async with OwnDocker.running() as daemon, on(daemon, tmp_path) as (client, containers):
        await deploy(client, task("writes", writes), task("waits", f"{WAIT}; exit 5"))
        run, unwanted = await start(client), await start(client)
        for each in (run, unwanted):
            await until_running(client, each, "waits")
        with daemon.frozen():
            meanwhile = await start(client)
            await client.runs.cancel("faults", unwanted)
            async with asyncio.timeout(ANSWER_SECONDS):
                await client.system.info()
                states = {found.state async for found in client.task_runs.each("faults", run)}
            await asyncio.sleep(FROZEN_SECONDS)
        assert (await client.runs.wait("faults", unwanted)).status == proto.RunRunStatus.CANCELLED
        await until_running(client, meanwhile, "waits")
        await go(containers)

        assert states <= {proto.TaskRunTaskRunState.RUNNING}
        for each in (run, meanwhile):
            assert await codes_of(client, each) == {"writes": 3, "waits": 5}
            assert await log_of(client, each, "writes") == numbered(30)
        await until_calm(client)
        await until_gone(containers)
