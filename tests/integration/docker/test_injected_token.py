"""The token of a task in a real container: who sees it, what it opens from there, and when it is gone."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import running_app
from gofer.config.address import Address
from gofer.config.settings import Settings
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec
from tests.fakes.ports import free_port
from tests.fakes.waiting import until
from tests.integration.docker.attempts import IMAGE
from tests.integration.killable_server import settings_of
from tests.service.secured import Secured, secured, stub_of
from tests.service.wire import config, ended, start

pytestmark = [pytest.mark.docker, pytest.mark.timeout(60)]

SCRIPT = "echo it is $GOFER_API_TOKEN .; exec sleep 1000"


async def docker(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("docker", *arguments, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return said.decode().strip()


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A server that asks for tokens, and is called back at the gateway of Docker's own network."""
    gateway = await docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    found = settings_of(tmp_path, "docker", 0)
    return replace(
        found,
        development=replace(found.development, bypass_auth=False),
        server=replace(found.server, address=Address(host=gateway, port=free_port())),
    )


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Secured]:
    async with running_app(settings) as app, secured(app) as it:
        yield it
        for run in (await it.admin.list_runs(proto.ListRunsRequest(pipeline_id="simple"))).runs:
            await it.admin.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=run.id, force=True))
            await ended(it.admin, run)


async def begin(it: Secured) -> proto.Run:
    """Start a run whose task has told its token to its log."""
    asking = proto.UserPipelineTaskConfig(
        id="work", image=IMAGE, command=["/bin/sh", "-c", SCRIPT], inject_api_token=True
    )
    await it.admin.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=config(asking)))
    await it.admin.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))
    run = await start(it.admin)
    query = proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=run.id, id="work")
    async for line in it.admin.get_task_run_logs(query):
        assert line.log_line == "it is *** ."
        break
    return run


async def container_of(it: Secured) -> str:
    instance = (await it.admin.get_system_info(proto.GetSystemInfoRequest())).instance_id
    return await docker("ps", "-q", "--no-trunc", "--filter", f"label=gofer.instance={instance}")


async def environment_in(container: str) -> dict[str, str]:
    """Read what a process in the container has."""
    told = await docker("exec", container, "cat", "/proc/1/environ")
    return dict(each.split("=", 1) for each in told.split("\0") if each)


class Tunnel:
    """Carries connections into a container, from where a program of it goes on to an address."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._programs: list[asyncio.subprocess.Process] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pipe = asyncio.subprocess.PIPE
        program = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        self._programs.append(program)
        assert program.stdin is not None
        assert program.stdout is not None
        async with asyncio.TaskGroup() as both:
            both.create_task(pour(reader, program.stdin), name="to the server")
            both.create_task(pour(program.stdout, writer), name="from the server")
        await program.wait()

    async def close(self) -> None:
        for program in self._programs:
            with suppress(ProcessLookupError):
                program.kill()
            await program.wait()


@asynccontextmanager
async def called_from(container: str, environment: dict[str, str]) -> AsyncIterator[proto.GoferStub]:
    """Make calls as a client in the container would: from its network, to the address and with the trust it was given.

    What the client says goes through a program of the container's; the name of the server is checked as if it did not.
    """
    host, _, port = environment["GOFER_CLI_HOST"].rpartition(":")
    tunnel = Tunnel("docker", "exec", "-i", container, "nc", host, port)
    context = ssl.create_default_context(cadata=environment["GOFER_CLI_TLS_CA"])
    context.set_alpn_protocols(["h2"])
    async with await asyncio.start_server(tunnel.carry, "127.0.0.1", 0) as listener:
        near, at = listener.sockets[0].getsockname()
        trust = Configuration(ssl_target_name_override=host)
        channel = Channel(near, at, ssl=context, codec=WireCodec(), config=trust)
        try:
            yield stub_of(channel, environment["GOFER_CLI_TOKEN"])
        finally:
            channel.close()
            await tunnel.close()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    writer.close()


async def status_of(stub: proto.GoferStub) -> Status:
    with pytest.raises(GRPCError) as refused:
        await stub.who_am_i(proto.WhoAmIRequest())
    return refused.value.status


async def test_a_container_calls_the_server_back_with_its_token_until_its_end(server: Secured) -> None:
    run = await begin(server)
    environment = await environment_in(container := await container_of(server))
    token = environment["GOFER_API_TOKEN"]

    async with called_from(container, environment) as inside:
        me = (await inside.who_am_i(proto.WhoAmIRequest())).details
        own = (await inside.get_run(proto.GetRunRequest(pipeline_id="simple", id=run.id))).run
        with pytest.raises(GRPCError) as refused:
            await inside.create_token(proto.CreateTokenRequest(expires="1h"))
    alive = (await server.stub(token).who_am_i(proto.WhoAmIRequest())).details
    await server.admin.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=run.id, force=True))
    await ended(server.admin, run)

    assert me is not None
    assert alive == me
    assert (me.pipeline_id, me.run_id, me.task_run_id) == ("simple", run.id, "work")
    assert own is not None
    assert refused.value.status is Status.PERMISSION_DENIED
    assert await status_of(server.stub(token)) is Status.UNAUTHENTICATED


async def is_gone(container: str) -> bool:
    """Tell whether there is no such container, which is removed after its run has ended."""
    return await docker("ps", "-aq", "--filter", f"id={container}") == ""


async def test_nobody_sees_the_token_but_the_container_and_who_has_docker(
    server: Secured, capfd: pytest.CaptureFixture[str]
) -> None:
    run = await begin(server)
    container = await container_of(server)
    token = (await environment_in(container))["GOFER_API_TOKEN"]
    (inspected,) = json.loads(await docker("inspect", container))
    listed = await docker("ps", "--no-trunc", "--format", "{{json .}}", "--filter", f"id={container}")

    # Docker keeps the environment of a container and shows it to whoever may use it, who is root on its machine anyway.
    shown = [each for each in inspected["Config"].pop("Env") if token in each]
    assert sorted(each.partition("=")[0] for each in shown) == ["GOFER_API_TOKEN", "GOFER_CLI_TOKEN"]
    assert token not in json.dumps(inspected)
    assert token not in listed

    await server.admin.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=run.id))
    await ended(server.admin, run)
    events = [reply async for reply in server.admin.list_events(proto.ListEventsRequest())]
    task_run = await server.admin.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=run.id, id="work"))
    tokens = await server.admin.list_tokens(proto.ListTokensRequest())

    assert token not in f"{events} {task_run} {tokens}"
    assert token not in "".join(capfd.readouterr())
    for path in server.app.settings.data_folder.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path
    await until(lambda: is_gone(container))
