"""A server that is asked to stop: at once, or once its runs have ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from gofer.app import App, running_app
from gofer.config.settings import Settings
from gofer.engines.scheduler.memory import MemoryEngine
from gofer.tls import certificates_of
from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.service.wire import ended, start, task, up

HOLD = {"GOFER_MEMORY_HOLD": "true"}


@pytest.fixture
def asked() -> asyncio.Event:
    """Set when the server was asked to stop."""
    return asyncio.Event()


@pytest.fixture
async def app(settings: Settings, asked: asyncio.Event) -> AsyncIterator[App]:
    async with running_app(replace(settings, run_parallelism_limit=1), stop=asked.set) as running:
        yield running


@asynccontextmanager
async def stopping(
    stub: proto.GoferStub, *, drain_timeout_ms: int = 0
) -> AsyncIterator[AsyncGenerator[proto.StopServerResponse, None]]:
    """A drain that goes on until the block is left."""

    async def responses() -> AsyncGenerator[proto.StopServerResponse, None]:
        async with stub.channel.request(
            "/proto.Gofer/StopServer",
            cardinality=Cardinality.UNARY_STREAM,
            request_type=proto.StopServerRequest,
            reply_type=proto.StopServerResponse,
        ) as stream:
            await stream.send_message(proto.StopServerRequest(drain=True, drain_timeout_ms=drain_timeout_ms), end=True)
            try:
                while (response := await stream.recv_message()) is not None:
                    yield response
            except GeneratorExit:
                await stream.cancel()
                raise

    async with aclosing(responses()) as it:
        yield it


async def begun(stub: proto.GoferStub, run: proto.Run) -> None:
    """Wait until a run's first task runs."""
    query = proto.ListEventsRequest(
        follow=True, kinds=["TASKRUN_STARTED"], namespace_id="default", pipeline_id="simple", run_id=run.id, limit=1
    )
    async for _ in stub.list_events(query):
        pass


def let_go(app: App) -> None:
    """End the task that was started last."""
    assert isinstance(app.engine, MemoryEngine)
    app.engine.release(app.engine.starts[-1])


async def test_a_server_stops_at_once_when_asked(stub: proto.GoferStub, asked: asyncio.Event) -> None:
    responses = [response async for response in stub.stop_server(proto.StopServerRequest())]

    assert [(0, True)] == [(response.live_runs, response.stopping) for response in responses]
    assert asked.is_set()


async def test_a_drain_refuses_new_runs_keeps_queued_ones_and_waits_for_the_others(
    app: App, stub: proto.GoferStub, asked: asyncio.Event
) -> None:
    await up(stub, task("hello", variables=HOLD))
    await begun(stub, await start(stub))
    queued = await start(stub)

    async with stopping(stub) as responses:
        first = await anext(responses)
        with pytest.raises(GRPCError, match="about to stop") as refused:
            await start(stub)
        assert not asked.is_set()
        let_go(app)
        rest = [response async for response in responses]

    assert (first.live_runs, first.stopping) == (1, False)
    assert refused.value.status is Status.FAILED_PRECONDITION
    assert (rest[-1].live_runs, rest[-1].stopping) == (0, True)
    assert asked.is_set()
    kept = await stub.get_run(proto.GetRunRequest(namespace_id="default", pipeline_id="simple", id=queued.id))
    assert kept.run is not None
    assert kept.run.state is proto.RunRunState.PENDING


async def test_a_drain_does_not_wait_for_ever(stub: proto.GoferStub, asked: asyncio.Event) -> None:
    await up(stub, task("hello", variables=HOLD))
    await begun(stub, await start(stub))

    async with stopping(stub, drain_timeout_ms=50) as responses:
        seen = [response async for response in responses]

    assert (seen[-1].live_runs, seen[-1].stopping) == (1, True)
    assert asked.is_set()


async def test_who_goes_away_takes_the_stop_back(app: App, stub: proto.GoferStub, asked: asyncio.Event) -> None:
    await up(stub, task("hello", variables=HOLD))
    await begun(stub, await start(stub))
    queued = await start(stub)

    async with stopping(stub) as responses:
        await anext(responses)
        async with stopping(stub) as others:
            with pytest.raises(GRPCError, match="being drained already"):
                await anext(others)
    let_go(app)
    await begun(stub, queued)
    let_go(app)

    assert (await ended(stub, queued)).status is proto.RunRunStatus.SUCCESSFUL
    await start(stub)
    assert not asked.is_set()


async def test_a_wait_below_zero_is_refused(stub: proto.GoferStub, asked: asyncio.Event) -> None:
    async with stopping(stub, drain_timeout_ms=-1) as responses:
        with pytest.raises(GRPCError, match="must not be negative"):
            await anext(responses)

    assert not asked.is_set()


async def test_the_client_tells_how_far_it_is(app: App, asked: asyncio.Event) -> None:
    ca = app.settings.data_folder / "ca.pem"
    ca.write_text(certificates_of(app.settings))
    async with GoferClient(host=str(app.server.address), tls_ca=str(ca)) as client:
        steps = [step async for step in client.system.stop(drain=True)]

    assert [(0, True)] == [(step.live_runs, step.stopping) for step in steps]
    assert asked.is_set()
