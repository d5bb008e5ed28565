"""Where containers call the API back: who is let in there, and what keeps nobody from anything."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import App, running_app
from gofer.config.address import Address
from gofer.config.settings import Settings
from gofer.engines.scheduler.memory import MemoryEngine
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec
from tests.service.secured import bearer
from tests.service.wire import config, deploy, start, task

CALLBACK = "127.0.0.2"  # another of this machine's own, as the gateway of a bridge is
ABSENT = "192.0.2.1"
LIST = proto.ListNamespacesRequest()
TOKEN = proto.CreateTokenRequest(kind=proto.CreateTokenRequestKind.MANAGEMENT, expires="1h")


def calling_back_at(settings: Settings, host: str, port: int) -> Settings:
    return replace(settings, server=replace(settings.server, address=Address(host=host, port=port)))


def a_free_port(host: str = CALLBACK) -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def connected(app: App, host: str, port: int) -> AsyncIterator[Channel]:
    content = (app.settings.data_folder / "server-tls.pem").read_text()
    context = ssl.create_default_context(cadata=content[: content.index("-----BEGIN PRIVATE KEY")])
    context.set_alpn_protocols(["h2"])
    channel = Channel(host, port, ssl=context, codec=WireCodec(), config=Configuration())
    try:
        yield channel
    finally:
        channel.close()


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with running_app(calling_back_at(settings, CALLBACK, a_free_port())) as running:
        yield running


@pytest.fixture
async def back(app: App) -> AsyncIterator[Channel]:
    """A connection to where containers call back."""
    async with connected(app, CALLBACK, app.settings.server.address.port) as channel:
        yield channel


async def refusal(work: object) -> Status:
    with pytest.raises(GRPCError) as caught:
        await work  # type: ignore[misc]  # a call that has begun
    return caught.value.status


async def token_of_a_task(app: App, stub: proto.GoferStub) -> str:
    """Start a task that asks for a token, and give what it got."""
    asking = task("hello", variables={"GOFER_MEMORY_HOLD": "true"})
    asking.inject_api_token = True
    await stub.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=config(asking)))
    await deploy(stub)
    await start(stub)
    async for _ in stub.list_events(proto.ListEventsRequest(follow=True, kinds=["TASKRUN_STARTED"], limit=1)):
        pass
    assert isinstance(app.engine, MemoryEngine)
    return dict(app.engine.environment_of(app.engine.starts[0]))["GOFER_API_TOKEN"]


async def test_who_calls_back_shows_a_token_also_in_dev_mode(stub: proto.GoferStub, back: Channel) -> None:
    made = await stub.create_token(TOKEN)
    admin = proto.GoferStub(back, metadata=bearer(made.token))

    assert Status.UNAUTHENTICATED is await refusal(proto.GoferStub(back).list_namespaces(LIST))
    unknown = proto.GoferStub(back, metadata=bearer("0" * 64))
    assert Status.UNAUTHENTICATED is await refusal(unknown.list_namespaces(LIST))
    assert (await admin.list_namespaces(LIST)).namespaces
    assert (await proto.GoferStub(back).get_system_info(proto.GetSystemInfoRequest())).semver


async def test_the_first_token_is_not_given_out_to_who_is_elsewhere(stub: proto.GoferStub, back: Channel) -> None:
    assert (await stub.bootstrap_token(proto.BootstrapTokenRequest())).token
    assert await refusal(proto.GoferStub(back).bootstrap_token(proto.BootstrapTokenRequest())) in {
        Status.PERMISSION_DENIED,
        Status.FAILED_PRECONDITION,
    }


async def test_a_revoked_token_ends_the_streams_of_both_listeners(stub: proto.GoferStub, back: Channel) -> None:
    made = await stub.create_token(TOKEN)
    assert made.details is not None
    events = proto.GoferStub(back, metadata=bearer(made.token)).list_events(proto.ListEventsRequest(follow=True))
    await anext(events)

    await stub.delete_token(proto.DeleteTokenRequest(id=made.details.id))

    async def rest() -> None:
        async for _ in events:
            pass

    assert Status.UNAUTHENTICATED is await refusal(rest())


async def test_the_token_of_a_task_opens_its_own_pipeline_at_both_listeners_and_no_more(
    app: App, stub: proto.GoferStub, back: Channel
) -> None:
    """In dev mode a task that is a process of this machine calls where everybody is let in."""
    text = await token_of_a_task(app, stub)
    async with connected(app, "127.0.0.1", app.server.port) as local:
        for channel in (local, back):
            own = proto.GoferStub(channel, metadata=bearer(text))
            assert (await own.get_run(proto.GetRunRequest(pipeline_id="simple", id=1))).run is not None
            assert Status.PERMISSION_DENIED is await refusal(own.create_token(TOKEN))
            assert Status.PERMISSION_DENIED is await refusal(own.get_pipeline(proto.GetPipelineRequest(id="other")))
            assert not (await own.who_am_i(proto.WhoAmIRequest())).without_token


async def test_on_loopback_whatever_other_token_came_along_harms_nothing_in_dev_mode(app: App) -> None:
    for metadata in (bearer("0" * 64), {"authorization": "Basic abc"}, {}):
        async with connected(app, "127.0.0.1", app.server.port) as channel:
            stub = proto.GoferStub(channel, metadata=metadata)
            assert (await stub.create_token(TOKEN)).token


async def test_an_address_that_is_not_there_or_taken_keeps_no_server_from_starting(settings: Settings) -> None:
    with socket.create_server((CALLBACK, 0)) as taken:
        for host, port in ((ABSENT, 0), (CALLBACK, taken.getsockname()[1]), ("no.such.host.invalid", 0)):
            async with (
                running_app(calling_back_at(settings, host, port)) as app,
                connected(app, "127.0.0.1", app.server.port) as channel,
            ):
                assert (await proto.GoferStub(channel).list_namespaces(LIST)).namespaces
