"""Commands on terminals that their user has left, at a scripted daemon."""

import json

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gofer.core.errors import FailedPrecondition
from gofer.engines.scheduler.docker_client import DockerClient, Endpoint
from gofer.engines.scheduler.docker_terminal import Terminals
from gofer.engines.terminals import TerminalSpec
from gofer.lifecycle import owned_tasks
from tests.unit.engines.test_docker_client import HANDLE, scripted_daemon

SPEC = TerminalSpec(command=("top",))
NO_SHELL = 'exec: "sh": executable file not found in $PATH'


@pytest.mark.parametrize("runs", [True, False])
async def test_a_command_that_can_not_be_ended_in_a_container_that_runs_is_told_of(*, runs: bool) -> None:
    """The answer to its start is lost, so that it is left at once; nothing else can be run in the container."""
    async with scripted_daemon() as daemon:
        daemon.says(f"containers/{HANDLE}/exec", 201, json.dumps({"Id": "1"}))
        daemon.says("exec/1/start", 400, json.dumps({"message": NO_SHELL}))
        daemon.says("exec/1/json", 200, json.dumps({"Running": True}))
        daemon.says(f"containers/{HANDLE}/json", 200, json.dumps({"State": {"Running": runs}}))
        client = await DockerClient.connect(Endpoint(url=daemon.url))
        with capture_logs() as logs, pytest.raises(FailedPrecondition):
            await open_and_leave(client)
        await client.close()

    told = [line for line in logs if "may go on in its container" in line["event"]]
    assert [NO_SHELL in line["error"] for line in told] == ([True] if runs else [])


async def open_and_leave(client: DockerClient) -> None:
    async with owned_tasks() as tasks, Terminals().opened(client, HANDLE, SPEC, tasks=tasks):
        pass


async def test_a_command_that_begins_only_after_its_user_has_left_is_ended_until_it_has_ended() -> None:
    """Docker answers to a start before the command begins, and tells that it runs before it bears its mark."""
    made, running, ended = {"Running": False, "ExitCode": None}, {"Running": True}, {"Running": False, "ExitCode": 137}
    kills: list[object] = []

    async def make(request: web.Request) -> web.Response:
        words = (await request.json())["Cmd"]
        return web.json_response({"Id": "1" if words == ["top"] else "kill"}, status=201)

    async def kill(request: web.Request) -> web.Response:
        kills.append(request.path)
        return web.Response(status=200)

    looks = iter([made, made, running])

    async def look(_: web.Request) -> web.Response:
        return web.json_response(next(looks, ended if len(kills) > 1 else running))

    async with scripted_daemon() as daemon:
        daemon.answers[f"containers/{HANDLE}/exec"] = make
        daemon.says("exec/1/start", 400, json.dumps({"message": "the answer is lost"}))
        daemon.answers |= {"exec/kill/start": kill, "exec/1/json": look}
        client = await DockerClient.connect(Endpoint(url=daemon.url))
        with pytest.raises(FailedPrecondition, match="lost"):
            await open_and_leave(client)
        await client.close()

    assert len(kills) == 2


@pytest.mark.parametrize("runs", [True, False])
async def test_what_an_earlier_server_has_left_where_nothing_can_be_run_is_told_of_once(*, runs: bool) -> None:
    async with scripted_daemon() as daemon:
        daemon.says(f"containers/{HANDLE}/exec", 201, json.dumps({"Id": "2"}))
        daemon.says("exec/2/start", 400, json.dumps({"message": NO_SHELL}))
        daemon.says("exec/1/json", 200, json.dumps({"Running": True}))
        inspected = {"State": {"Running": runs}, "ExecIDs": ["1"]}
        daemon.says(f"containers/{HANDLE}/json", 200, json.dumps(inspected))
        client = await DockerClient.connect(Endpoint(url=daemon.url))
        terminals = Terminals()
        with capture_logs() as logs:
            await terminals.end_left(client, HANDLE)
            await terminals.end_left(client, HANDLE)
        await client.close()

    assert runs == sum("may have been left" in line["event"] for line in logs)
