"""An engine that is away, in error or slow: what runs runs on, the server says so and tries again, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.fakes.docker_cutter import DockerCutter, docker_socket
from tests.fakes.waiting import until
from tests.integration.faults.containers import Containers, docker
from tests.integration.faults.faulty import (
    FaultyServer,
    deploy,
    faulty_server,
    log_of,
    notes,
    start,
    task,
    until_calm,
    until_running,
    until_told,
)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

FAILED = proto.RunRunStatus.FAILED
LINES = 400
SCRIPT = (
    f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done; "
    f"until [ -e /go ]; do sleep 0.05; done; while [ $i -lt {2 * LINES} ]; do echo line $i; i=$((i+1)); done; exit 9"
)
WHOLE = b"".join(b"line %d\n" % number for number in range(2 * LINES))


@pytest.fixture
async def cutter() -> AsyncIterator[DockerCutter]:
    async with DockerCutter.before(docker_socket()) as entered:
        yield entered


@asynccontextmanager
async def behind(
    cutter: DockerCutter, folder: Path, *options: str
) -> AsyncIterator[tuple[FaultyServer, GoferClient, Containers]]:
    """Run a server whose engine is behind the cutter, and leave no container of it."""
    async with (
        faulty_server(folder, "docker", "--docker-host", cutter.url, *options) as server,
        server.impatient() as client,
        (await Containers.of(server)).counting_starts(folder) as containers,
    ):
        try:
            yield server, client, containers
        finally:
            await containers.remove()


async def go(containers: Containers, name: str) -> None:
    """Let a task go on."""
    await docker("exec", await containers.of_task(name), "touch", "/go")


async def assert_right_end(client: GoferClient, containers: Containers, run: int, name: str = "work") -> None:
    assert (await client.runs.wait("faults", run)).status == FAILED
    ended = await client.task_runs.get("faults", run, name)
    assert ended.exit_code == 9
    assert await log_of(client, run, name) == WHOLE

    async def is_removed() -> bool:
        return await containers.ids() == []

    async def is_counted() -> bool:
        return f"{run}/{name}" in containers.starts()

    await until(is_removed)
    await until(is_counted)
    assert containers.starts()[f"{run}/{name}"] == 1


async def test_while_the_engine_is_away_what_runs_runs_and_the_server_says_so(
    cutter: DockerCutter, tmp_path: Path
) -> None:
    async with behind(cutter, tmp_path) as (_, client, containers):
        await deploy(client, task("work", SCRIPT))
        run = await start(client)
        await until_running(client, run, "work")
        await cutter.refuse()
        cutter.cut()
        await go(containers, "work")
        waiting = await start(client)
        await until_told(client, "the connection to Docker failed")

        found = await client.task_runs.get("faults", run, "work")
        assert found.state == proto.TaskRunTaskRunState.RUNNING
        assert (await client.runs.get("faults", waiting)).state != proto.RunRunState.COMPLETE
        await cutter.listen()
        await until_running(client, waiting, "work")
        await until_calm(client)
        await go(containers, "work")

        await assert_right_end(client, containers, run)
        await assert_right_end(client, containers, waiting)


async def test_a_server_that_starts_while_the_engine_is_away_takes_its_tasks_up_later(
    cutter: DockerCutter, tmp_path: Path
) -> None:
    async with behind(cutter, tmp_path) as (first, client, containers):
        await deploy(client, task("work", SCRIPT))
        run = await start(client)
        await until_running(client, run, "work")
        await first.kill()
        await cutter.refuse()
        await go(containers, "work")
        async with (
            faulty_server(tmp_path, "docker", "--docker-host", cutter.url) as second,
            second.impatient() as next_,
        ):
            await until_told(next_, "no Docker answers")
            found = await next_.task_runs.get("faults", run, "work")
            assert found.state == proto.TaskRunTaskRunState.RUNNING
            await cutter.listen()

            await assert_right_end(next_, containers, run)
            await until_calm(next_)


async def test_a_server_in_production_starts_without_its_engine_and_runs_what_waited_once_it_is_there(
    cutter: DockerCutter, tmp_path: Path
) -> None:
    await cutter.refuse()
    async with behind(cutter, tmp_path, "--production") as (_, client, containers):
        await until_told(client, "the server waits for this to end: no Docker answers")
        await deploy(client, task("work", SCRIPT))
        run = await start(client)
        await until_told(client, "more wait")
        assert (await client.runs.get("faults", run)).engine == "docker"
        await cutter.listen()
        await until_running(client, run, "work")
        await until_calm(client)
        await go(containers, "work")

        await assert_right_end(client, containers, run)


async def test_an_engine_that_answers_500_is_waited_for(cutter: DockerCutter, tmp_path: Path) -> None:
    async with behind(cutter, tmp_path) as (_, client, containers):
        await deploy(client, task("work", SCRIPT))
        run = await start(client)
        await until_running(client, run, "work")
        with cutter.answering("(GET|HEAD|DELETE) .*|/wait|/attach", "the disk of the engine is broken"):
            cutter.cut()
            waiting = await start(client)
            await until_told(client, "Docker: the disk of the engine is broken")
            found = await client.task_runs.get("faults", run, "work")
            assert found.state == proto.TaskRunTaskRunState.RUNNING
        for each in (run, waiting):
            await until_running(client, each, "work")
        for container in await containers.ids():
            await docker("exec", container, "touch", "/go")

        await assert_right_end(client, containers, run)
        await assert_right_end(client, containers, waiting)
        await until_calm(client)


async def test_an_engine_that_refuses_fails_the_task_in_its_words_and_one_that_goes_down_does_not(
    cutter: DockerCutter, tmp_path: Path
) -> None:
    async with behind(cutter, tmp_path) as (_, client, containers):
        await deploy(client, task("work", SCRIPT))
        for request in ("POST containers/create", "POST containers/.*/start"):
            with cutter.answering(request, "no space left on device"):
                run = await start(client)
                assert (await client.runs.wait("faults", run)).status == FAILED
            refused = await client.task_runs.get("faults", run, "work")
            assert refused.status_reason is not None
            assert refused.status_reason.code == "launch_failed"
            assert "no space left on device" in refused.status_reason.description
            with cutter.answering(request, "the daemon is shutting down"):
                run = await start(client)
                await until_told(client, "the daemon is shutting down")
            await until_running(client, run, "work")
            await go(containers, "work")
            await assert_right_end(client, containers, run)


async def test_a_slow_engine_costs_time_and_nothing_else(cutter: DockerCutter, tmp_path: Path) -> None:
    async with behind(cutter, tmp_path) as (_, client, containers):
        await deploy(client, task("work", SCRIPT))
        cutter.delay = timedelta(seconds=0.5)
        run = await start(client)
        async with asyncio.timeout(30):
            await client.system.info()
        await until_running(client, run, "work")
        await go(containers, "work")

        await assert_right_end(client, containers, run)


ENDS = {"killed": 137, "stopped": 143, "paused": 9, "cancelled": None, "removed": 999, "left": 9}


async def test_what_others_do_to_containers_is_told_as_it_was(cutter: DockerCutter, tmp_path: Path) -> None:
    """Killed: its exit code. Paused: it runs, and can be cancelled. Removed: the engine doesn't know it any more."""
    async with behind(cutter, tmp_path) as (_, client, containers):
        await deploy(client, *(task(name, SCRIPT) for name in ENDS))
        run = await start(client)
        for name in ENDS:
            await until_running(client, run, name)
        await do_to_containers({name: await containers.of_task(name) for name in ENDS})
        await client.task_runs.cancel("faults", run, "cancelled")
        await go(containers, "left")
        await until_only_runs(client, run, "paused")
        await docker("unpause", await containers.of_task("paused"))
        await go(containers, "paused")
        await client.runs.wait("faults", run)
        ended = {found.id: found async for found in client.task_runs.each("faults", run)}

        assert {name: found.exit_code for name, found in ended.items()} | {"cancelled": None} == ENDS
        status = proto.TaskRunTaskRunStatus
        assert {name: found.status for name, found in ended.items()} == {
            name: status.CANCELLED if name == "cancelled" else status.FAILED for name in ENDS
        }
        reasons = {name: found.status_reason for name, found in ended.items() if found.status_reason is not None}
        assert reasons["removed"].code == "orphaned"
        assert "137" in reasons["killed"].description
        assert await log_of(client, run, "left") == WHOLE
        assert await log_of(client, run, "paused") == WHOLE
        assert "Docker" not in await notes(client)


async def do_to_containers(ids: Mapping[str, str]) -> None:
    """Do to containers, behind the server's back, what their names say."""
    await docker("kill", ids["killed"])
    await docker("stop", "-t", "60", ids["stopped"])
    await docker("pause", ids["paused"], ids["cancelled"])
    await docker("rm", "-f", ids["removed"])


async def until_only_runs(client: GoferClient, run: int, name: str) -> None:
    """Wait until this one is the only task that has not ended."""

    async def is_so() -> bool:
        running = proto.TaskRunTaskRunState.RUNNING
        return [found.id async for found in client.task_runs.each("faults", run) if found.state == running] == [name]

    await until(is_so)
