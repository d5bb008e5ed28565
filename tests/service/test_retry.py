"""Runs that are started again, and the switch that lets no run start."""

from dataclasses import replace

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import running_app
from gofer.config.settings import Settings
from gofer_sdk._proto import proto
from tests.service.secured import channel_of
from tests.service.wire import CLI, ended, kinds, start, status_of, task, up

BOT = proto.Initiator(type=proto.InitiatorType.BOT, name="robot", reason="once more")
HOLD = {"GOFER_MEMORY_HOLD": "true"}


async def retry(stub: proto.GoferStub, run: int = 1, **more: object) -> proto.RetryRunResponse:
    return await stub.retry_run(proto.RetryRunRequest(pipeline_id="simple", run_id=run, **more))  # type: ignore[arg-type]


def made_by(reply: proto.RetryRunResponse) -> proto.Run:
    assert reply.run is not None
    return reply.run


async def toggle(stub: proto.GoferStub) -> bool:
    return (await stub.toggle_event_ingress(proto.ToggleEventIngressRequest())).value


async def is_closed(stub: proto.GoferStub) -> bool:
    return (await stub.get_system_info(proto.GetSystemInfoRequest())).ignore_pipeline_run_events


async def test_a_retry_is_a_new_run_with_the_variables_of_the_old_one(stub: proto.GoferStub) -> None:
    await up(stub)
    old = await start(stub, variables={"KEY": "value", "OTHER": "pipeline_secret{{key}}"})
    before = len(await kinds(stub))

    new = made_by(await retry(stub, initiator=BOT))
    done = await ended(stub, new)

    assert (new.id, new.state, new.initiator) == (2, proto.RunRunState.PENDING, BOT)
    assert old.variables == new.variables
    assert (done.status, done.version) == (proto.RunRunStatus.SUCCESSFUL, 1)
    assert "RUN_STARTED" in (await kinds(stub))[before:]


async def test_a_retry_without_an_initiator_has_the_old_one(stub: proto.GoferStub) -> None:
    await up(stub)
    await start(stub)

    assert made_by(await retry(stub)).initiator == CLI


async def test_a_retry_is_of_the_live_version_or_of_the_old_one(stub: proto.GoferStub) -> None:
    await up(stub)
    await start(stub)
    await up(stub, task("another"))

    assert made_by(await retry(stub)).version == 2
    assert made_by(await retry(stub, same_version=True)).version == 1


async def test_the_same_request_retries_once(stub: proto.GoferStub) -> None:
    await up(stub)
    await start(stub)

    first, second = await retry(stub, request_id="abc"), await retry(stub, request_id="abc")

    assert (first.existing, second.existing) == (False, True)
    assert made_by(first).id == made_by(second).id == 2


async def test_a_run_that_goes_on_can_be_retried(stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables=HOLD))
    await start(stub)

    assert made_by(await retry(stub)).id == 2


async def test_what_cant_be_retried_is_refused(stub: proto.GoferStub) -> None:
    await up(stub)
    await start(stub)

    with pytest.raises(GRPCError) as nameless:
        await retry(stub, initiator=proto.Initiator())
    assert status_of(nameless.value)[0] is Status.INVALID_ARGUMENT
    with pytest.raises(GRPCError) as unknown:
        await retry(stub, run=7)
    assert status_of(unknown.value)[0] is Status.NOT_FOUND
    with pytest.raises(GRPCError) as unnamed:
        await retry(stub, run=0)
    assert status_of(unnamed.value)[0] is Status.INVALID_ARGUMENT
    await stub.disable_pipeline(proto.DisablePipelineRequest(id="simple"))
    with pytest.raises(GRPCError) as disabled:
        await retry(stub)
    assert status_of(disabled.value)[0] is Status.FAILED_PRECONDITION


async def test_while_the_ingress_is_closed_no_run_is_made_and_what_was_made_goes_on(stub: proto.GoferStub) -> None:
    await up(stub)
    request = proto.StartRunRequest(pipeline_id="simple", initiator=CLI, request_id="early")
    early = await stub.start_run(request)
    assert not await is_closed(stub)

    assert await toggle(stub)

    assert await is_closed(stub)
    for call in (start(stub), retry(stub)):
        with pytest.raises(GRPCError, match="takes no new runs") as closed:
            await call
        assert closed.value.status is Status.FAILED_PRECONDITION
    assert (await stub.start_run(request)).existing
    assert early.run is not None
    assert (await ended(stub, early.run)).status is proto.RunRunStatus.SUCCESSFUL
    assert not await toggle(stub)
    assert (await start(stub)).id == 2


async def test_a_restart_goes_by_the_settings_again(settings: Settings) -> None:
    async with running_app(settings) as app, channel_of(app) as channel:
        stub = proto.GoferStub(channel)
        assert await toggle(stub)
        assert await is_closed(stub)

    async with running_app(replace(settings, ignore_pipeline_run_events=True)) as app, channel_of(app) as channel:
        assert await is_closed(proto.GoferStub(channel))

    async with running_app(settings) as app, channel_of(app) as channel:
        assert not await is_closed(proto.GoferStub(channel))
