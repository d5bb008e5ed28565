"""A start that a stop overtakes, before a daemon that answers as none can be made to on demand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from gofer.config.settings import DockerSettings
from gofer.core.errors import FailedPrecondition
from gofer.engines.protocols import ContainerState
from gofer.engines.scheduler.docker import DockerEngine, create
from gofer.engines.scheduler.docker_convert import INSTANCE_LABEL
from tests.unit.engines.test_docker_client import HANDLE, ScriptedDaemon, scripted_daemon

CREATED = {"State": {"Status": "created"}, "Config": {"Labels": {INSTANCE_LABEL: "mine"}}, "HostConfig": {}}
REFUSALS = (
    (404, "No such container: abc"),
    (409, "container is marked for removal and cannot be started"),
    (500, "failed to create shim: the container is gone"),
)


def refused(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


@asynccontextmanager
async def docker_with_a_container() -> AsyncIterator[tuple[ScriptedDaemon, DockerEngine]]:
    async with scripted_daemon() as daemon:
        daemon.says("info", 200, '{"NCPU": 2}')
        daemon.says(f"containers/{HANDLE}/json", 200, json.dumps(CREATED))
        async with create(DockerSettings(host=daemon.url)) as engine:
            yield daemon, engine


@pytest.mark.parametrize(("status", "message"), REFUSALS)
async def test_a_start_that_finds_its_container_removed_by_a_stop_is_done(status: int, message: str) -> None:
    starting, removed = asyncio.Event(), asyncio.Event()

    async def start(_: web.Request) -> web.StreamResponse:
        starting.set()
        await removed.wait()
        return refused(status, message)

    async def delete(_: web.Request) -> web.StreamResponse:
        removed.set()
        return web.Response(status=204)

    async with docker_with_a_container() as (daemon, engine):
        daemon.answers[f"containers/{HANDLE}/start"] = start
        daemon.answers[f"containers/{HANDLE}"] = delete
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.start(HANDLE))
            await starting.wait()
            await engine.stop(HANDLE, grace=timedelta())

        assert (await engine.inspect(HANDLE)).state is ContainerState.EXITED


async def test_a_start_that_is_refused_says_why() -> None:
    async with docker_with_a_container() as (daemon, engine):
        daemon.says(f"containers/{HANDLE}/start", 409, json.dumps({"message": "marked for removal by somebody"}))

        with pytest.raises(FailedPrecondition, match="marked for removal by somebody"):
            await engine.start(HANDLE)
