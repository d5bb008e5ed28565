"""The token of a task run: in its container only, for its pipeline only, until its end only."""

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.engines.scheduler.memory import MemoryEngine
from gofer.sealing import hash_token
from gofer_sdk._proto import proto
from tests.service.secured import Secured
from tests.service.wire import CLI, config, ended, task

HELD = {"GOFER_MEMORY_HOLD": "true", "GOFER_MEMORY_LOG": "begun\n"}


async def start(it: Secured, **variables: str) -> proto.Run:
    """Start a run of one task that asks for a token, and wait until it runs."""
    asking = task("hello", variables=HELD)
    asking.inject_api_token = True
    await it.admin.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=config(asking)))
    await it.admin.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))
    request = proto.StartRunRequest(pipeline_id="simple", initiator=CLI, variables=variables)
    run = (await it.admin.start_run(request)).run
    assert run is not None
    query = proto.ListEventsRequest(follow=True, kinds=["TASKRUN_STARTED"], limit=1)
    async for _ in it.admin.list_events(query):
        pass
    return run


def environment(it: Secured) -> dict[str, str]:
    """What the one container got."""
    assert isinstance(it.app.engine, MemoryEngine)
    (attempt,) = it.app.engine.starts
    return dict(it.app.engine.environment_of(attempt))


async def refusal(work: object) -> Status:
    with pytest.raises(GRPCError) as caught:
        await work  # type: ignore[misc]  # a call that has begun
    return caught.value.status


async def test_a_task_gets_a_token_and_what_the_command_line_needs(guarded: Secured) -> None:
    await start(guarded)
    got = environment(guarded)

    assert got["GOFER_API_TOKEN"] == got["GOFER_CLI_TOKEN"]
    assert "default" == got["GOFER_CLI_NAMESPACE"]
    assert f"127.0.0.1:{guarded.app.server.port}" == got["GOFER_CLI_HOST"]
    assert got["GOFER_CLI_TLS_CA"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in got["GOFER_CLI_TLS_CA"]
    me = (await guarded.stub(got["GOFER_API_TOKEN"]).who_am_i(proto.WhoAmIRequest())).details
    assert me is not None
    assert (proto.TokenKind.CLIENT, "simple", 1, "hello") == (me.kind, me.pipeline_id, me.run_id, me.task_run_id)


async def test_it_opens_its_own_pipeline_alone(guarded: Secured) -> None:
    await start(guarded)
    stub = guarded.stub(environment(guarded)["GOFER_API_TOKEN"])
    other = proto.RegisterPipelineConfigRequest(pipeline_config=config(pipeline="other"))
    await guarded.admin.register_pipeline_config(other)

    assert (await stub.get_run(proto.GetRunRequest(pipeline_id="simple", id=1))).run is not None
    assert Status.PERMISSION_DENIED == await refusal(stub.get_pipeline(proto.GetPipelineRequest(id="other")))
    assert Status.PERMISSION_DENIED == await refusal(stub.create_token(proto.CreateTokenRequest(expires="1h")))


async def test_it_is_shown_as_injected_and_kept_nowhere(guarded: Secured) -> None:
    await start(guarded)
    text = environment(guarded)["GOFER_API_TOKEN"]
    shown = await guarded.admin.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=1, id="hello"))

    assert shown.task_run is not None
    values = {variable.key: variable.value for variable in shown.task_run.variables}
    assert {"<injected>"} == {values["GOFER_API_TOKEN"], values["GOFER_CLI_TOKEN"]}
    assert await guarded.app.database.read(lambda unit: unit.tokens.find_by_hash(hash_token(text))) is not None
    files = [path for path in guarded.app.settings.data_folder.rglob("*") if path.is_file()]
    assert guarded.app.settings.server.storage_path in files
    assert [] == [path for path in files if text.encode() in path.read_bytes()]


async def test_it_is_gone_with_its_task_run_and_its_streams_with_it(guarded: Secured) -> None:
    run = await start(guarded)
    stub = guarded.stub(environment(guarded)["GOFER_API_TOKEN"])
    events = stub.list_events(proto.ListEventsRequest(follow=True))
    await anext(events)

    await guarded.admin.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=run.id, force=True))
    await ended(guarded.admin, run)

    async def rest() -> None:
        async for _ in events:
            pass

    assert Status.UNAUTHENTICATED == await refusal(rest())
    assert Status.UNAUTHENTICATED == await refusal(stub.who_am_i(proto.WhoAmIRequest()))


async def test_what_a_run_is_given_beats_it(guarded: Secured) -> None:
    await start(guarded, GOFER_API_TOKEN="<injected>")

    assert "<injected>" == environment(guarded)["GOFER_API_TOKEN"]
    assert 64 == len(environment(guarded)["GOFER_CLI_TOKEN"])
