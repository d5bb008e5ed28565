"""Secrets over the API: kept, given, listed, forgotten, and given to tasks."""

from collections.abc import Sequence

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import App
from gofer_sdk._proto import proto
from tests.service.wire import ended, kinds, register, start, task, up

SECRET = "hunter22-hunter22"


async def put(
    stub: proto.GoferStub, key: str = "db", value: str = SECRET, *, force: bool = False, pipeline: str = "simple"
) -> proto.PutPipelineSecretResponse:
    return await stub.put_pipeline_secret(
        proto.PutPipelineSecretRequest(pipeline_id=pipeline, key=key, content=value, force=force)
    )


async def put_global(
    stub: proto.GoferStub,
    key: str = "root",
    value: str = SECRET,
    *,
    namespaces: Sequence[str] = ("*",),
    force: bool = False,
) -> proto.PutGlobalSecretResponse:
    return await stub.put_global_secret(
        proto.PutGlobalSecretRequest(key=key, content=value, namespaces=list(namespaces), force=force)
    )


async def get(
    stub: proto.GoferStub, key: str = "db", *, value: bool = True, pipeline: str = "simple"
) -> proto.GetPipelineSecretResponse:
    return await stub.get_pipeline_secret(
        proto.GetPipelineSecretRequest(pipeline_id=pipeline, key=key, include_secret=value)
    )


async def outcome(stub: proto.GoferStub, run: proto.Run, name: str = "hello") -> tuple[str, str]:
    """How a task ended, and why."""
    reply = await stub.get_task_run(
        proto.GetTaskRunRequest(namespace_id="default", pipeline_id=run.pipeline, run_id=run.id, id=name)
    )
    assert reply.task_run is not None
    reason = reply.task_run.status_reason
    return reply.task_run.status.name or "", reason.description if reason else ""


async def log(stub: proto.GoferStub, run: proto.Run, name: str = "hello") -> list[str]:
    request = proto.GetTaskRunLogsRequest(namespace_id="default", pipeline_id=run.pipeline, run_id=run.id, id=name)
    return [reply.log_line async for reply in stub.get_task_run_logs(request)]


async def test_a_secret_is_kept_given_listed_and_forgotten(stub: proto.GoferStub) -> None:
    await register(stub)

    done = await put(stub)

    assert (len(SECRET), "") == (done.bytes, done.warning)
    with_value, without = await get(stub), await get(stub, value=False)
    assert (SECRET, "") == (with_value.secret, without.secret)
    assert with_value.metadata == without.metadata
    assert with_value.metadata is not None
    assert ("db", []) == (with_value.metadata.key, with_value.metadata.namespaces)
    listed = await stub.list_pipeline_secrets(proto.ListPipelineSecretsRequest(pipeline_id="simple"))
    assert [with_value.metadata] == listed.keys
    await stub.delete_pipeline_secret(proto.DeletePipelineSecretRequest(pipeline_id="simple", key="db"))
    with pytest.raises(GRPCError, match="has no secret 'db'") as unknown:
        await get(stub)
    assert Status.NOT_FOUND is unknown.value.status


async def test_only_force_replaces_a_secret_and_it_replaces_that_one_alone(stub: proto.GoferStub) -> None:
    await register(stub)
    await put(stub, "1a", "first")
    await put(stub, "1b", "other")

    with pytest.raises(GRPCError, match="already; replace it with --force") as taken:
        await put(stub, "1a", "second")
    assert Status.ALREADY_EXISTS is taken.value.status
    assert "first" == (await get(stub, "1a")).secret
    await put(stub, "1a", "third", force=True)

    assert ("third", "other") == ((await get(stub, "1a")).secret, (await get(stub, "1b")).secret)


async def test_keys_of_other_pipelines_never_meet(stub: proto.GoferStub) -> None:
    """Joined with underscores, all of these would be one key."""
    await stub.create_namespace(proto.CreateNamespaceRequest(id="default_one", name="x"))
    for namespace, pipeline in (("default", "one_two"), ("default_one", "two")):
        config = proto.UserPipelineConfig(id=pipeline.ljust(3, "_"), tasks=[task("hello")])
        await stub.register_pipeline_config(
            proto.RegisterPipelineConfigRequest(namespace_id=namespace, pipeline_config=config)
        )
    await stub.put_pipeline_secret(
        proto.PutPipelineSecretRequest(namespace_id="default", pipeline_id="one_two", key="k", content="a")
    )
    await put_global(stub, "one_two_k", "b")

    with pytest.raises(GRPCError, match="has no secret"):
        await stub.get_pipeline_secret(
            proto.GetPipelineSecretRequest(namespace_id="default_one", pipeline_id="two", key="k")
        )


async def test_an_empty_or_short_value_is_kept_with_a_warning(stub: proto.GoferStub) -> None:
    await register(stub)

    for value in ("", "abc", "abcd"):
        done = await put(stub, value=value, force=True)
        assert ("will not be masked" in done.warning) is (len(value) < 4)
        assert value == (await get(stub)).secret


@pytest.mark.parametrize(
    ("key", "value", "fault", "status"),
    [
        ("", "x", "key is missing", Status.INVALID_ARGUMENT),
        (" a", "x", "white space", Status.INVALID_ARGUMENT),
        ("a\n", "x", "white space", Status.INVALID_ARGUMENT),
        ("a\x1b[2J", "x", "control characters", Status.INVALID_ARGUMENT),
        ("x" * 257, "x", "at most 256", Status.INVALID_ARGUMENT),
        ("a", "hunter22\0", "NUL", Status.INVALID_ARGUMENT),
        ("a", "hunter22" * 131_073, "keep large things as objects", Status.RESOURCE_EXHAUSTED),
    ],
)
async def test_what_can_not_be_kept_is_refused_in_words_without_the_value(
    stub: proto.GoferStub, key: str, value: str, fault: str, status: Status
) -> None:
    await register(stub)

    with pytest.raises(GRPCError, match=fault) as refused:
        await put(stub, key, value)

    assert status is refused.value.status
    assert "hunter" not in str(refused.value)
    listed = await stub.list_pipeline_secrets(proto.ListPipelineSecretsRequest(pipeline_id="simple"))
    assert [] == listed.keys


async def test_a_pipeline_that_is_not_there_has_no_secrets(stub: proto.GoferStub) -> None:
    for call in (put(stub), get(stub)):
        with pytest.raises(GRPCError, match="no pipeline 'simple'") as unknown:
            await call
        assert Status.NOT_FOUND is unknown.value.status


async def test_a_global_secret_names_who_may_use_it(stub: proto.GoferStub) -> None:
    await put_global(stub, namespaces=["team_*", ".*", "default"])

    got = await stub.get_global_secret(proto.GetGlobalSecretRequest(key="root", include_secret=True))
    assert got.metadata is not None
    assert (SECRET, ["team_*", "*", "default"]) == (got.secret, got.metadata.namespaces)
    listed = await stub.list_global_secrets(proto.ListGlobalSecretsRequest())
    assert [got.metadata] == listed.keys
    with pytest.raises(GRPCError, match="already") as taken:
        await put_global(stub)
    assert Status.ALREADY_EXISTS is taken.value.status
    await put_global(stub, value="other", namespaces=["default"], force=True)
    again = await stub.get_global_secret(proto.GetGlobalSecretRequest(key="root", include_secret=True))
    assert again.metadata is not None
    assert ("other", ["default"]) == (again.secret, again.metadata.namespaces)
    await stub.delete_global_secret(proto.DeleteGlobalSecretRequest(key="root"))
    assert [] == (await stub.list_global_secrets(proto.ListGlobalSecretsRequest())).keys


@pytest.mark.parametrize(
    ("namespaces", "fault"), [([], "no namespace may use"), (["team-.*"], "neither"), ([""], "is empty")]
)
async def test_a_global_secret_that_nobody_could_use_is_refused(
    stub: proto.GoferStub, namespaces: list[str], fault: str
) -> None:
    with pytest.raises(GRPCError, match=fault) as refused:
        await put_global(stub, namespaces=namespaces)

    assert Status.INVALID_ARGUMENT is refused.value.status


async def test_a_task_gets_what_its_config_refers_to_and_shows_the_reference(stub: proto.GoferStub) -> None:
    variables = {"GOFER_MEMORY_LOG": "pipeline_secret{{script}}", "OTHER": "global_secret{root}"}
    await up(stub, task("hello", variables=variables))
    await put(stub, "script", f"the log of {SECRET}")
    await put_global(stub)

    run = await ended(stub, await start(stub))

    assert "SUCCESSFUL" == run.status.name
    shown = await stub.get_task_run(
        proto.GetTaskRunRequest(namespace_id="default", pipeline_id="simple", run_id=run.id, id="hello")
    )
    assert shown.task_run is not None
    assert variables == {each.key: each.value for each in shown.task_run.variables if each.key in variables}
    assert ["***"] == await log(stub, run)


async def test_a_value_given_for_one_run_is_no_reference(stub: proto.GoferStub) -> None:
    await up(stub)
    await put(stub, "script", SECRET)

    run = await ended(stub, await start(stub, variables={"GOFER_MEMORY_LOG": "secret{{script}}"}))

    assert ["secret{{script}}"] == await log(stub, run)


@pytest.mark.parametrize(
    "reference",
    [
        "secret{{unknown}}",
        "global_secret{{unknown}}",
        "global_secret{{closed}}",
        "pipeline_object{{x}}",
        "run_object{x}",
    ],
)
async def test_a_task_that_asks_for_what_it_may_not_have_fails_before_it_starts(
    stub: proto.GoferStub, reference: str
) -> None:
    await up(stub, task("hello", variables={"PASSWORD": reference}))
    await put_global(stub, "closed", namespaces=["team_*"])

    run = await ended(stub, await start(stub))

    assert "FAILED" == run.status.name
    status, why = await outcome(stub, run)
    assert "FAILED" == status
    assert why.startswith("variable 'PASSWORD' refers to the ")
    assert SECRET not in why
    assert "TASKRUN_STARTED" not in await kinds(stub)


async def test_an_unknown_global_secret_and_a_closed_one_look_the_same(stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables={"A": "global_secret{{one}}"}))
    _, unknown = await outcome(stub, await ended(stub, await start(stub)))
    await put_global(stub, "one", namespaces=["team_*"])
    _, closed = await outcome(stub, await ended(stub, await start(stub)))

    assert unknown == closed


async def test_no_file_of_the_server_and_no_event_holds_the_value(stub: proto.GoferStub, app: App) -> None:
    await up(stub, task("hello", variables={"GOFER_MEMORY_LOG": "secret{{script}}"}))
    await put(stub, "script", SECRET)
    await put_global(stub)
    await ended(stub, await start(stub))

    files = [path for path in app.settings.data_folder.rglob("*") if path.is_file()]
    assert app.settings.server.storage_path in files
    assert [] == [path for path in files if SECRET.encode() in path.read_bytes()]
    events = [reply.event async for reply in stub.list_events(proto.ListEventsRequest())]
    assert all(event is not None and SECRET not in event.details for event in events)
