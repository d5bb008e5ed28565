"""Commands on terminals that their user has left, at a scripted daemon."""

import json

import pytest
from structlog.testing import capture_logs

from gofer.core.errors import FailedPrecondition
from gofer.engines.scheduler.docker_client import DockerClient, Endpoint
from gofer.engines.scheduler.docker_terminal import Terminals
from gofer.engines.terminals import TerminalSpec
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
            await Terminals().opened(client, HANDLE, SPEC).__aenter__()
        await client.close()

    told = [line for line in logs if "may go on in its container" in line["event"]]
    assert [NO_SHELL in line["error"] for line in told] == ([True] if runs else [])


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
