"""A client that knows the 0.6 contract alone, made by google's own tools, against the server over TLS."""

import json
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import grpc  # type: ignore[import-untyped]  # it comes without types
import pytest

from gofer.app import App
from tests.service.secured import Secured


@pytest.fixture
def messages(modules: tuple[ModuleType, ModuleType]) -> Any:  # noqa: ANN401 - made at run time
    return modules[0]


@pytest.fixture
async def client(app: App, certificate: bytes, modules: tuple[ModuleType, ModuleType]) -> AsyncIterator[Any]:
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate)
    async with grpc.aio.secure_channel(f"localhost:{app.server.port}", credentials) as channel:
        yield modules[1].GoferStub(channel)


def pipeline(messages: Any) -> Any:  # noqa: ANN401 - made at run time
    task = messages.UserPipelineTaskConfig
    log = {"GOFER_MEMORY_LOG": "one\ntwo"}
    return messages.UserPipelineConfig(
        id="simple",
        name="Simple",
        tasks=[
            task(id="first", image="busybox", variables=log),
            task(id="second", image="busybox", depends_on={"first": task.SUCCESS}),
        ],
    )


async def up(client: Any, messages: Any) -> Any:  # noqa: ANN401 - made at run time
    """Register and deploy, as `gofer up` does, and give what was registered."""
    request = messages.RegisterPipelineConfigRequest(pipeline_config=pipeline(messages))
    registered = (await client.RegisterPipelineConfig(request)).pipeline
    deployed = await client.DeployPipeline(
        messages.DeployPipelineRequest(id="simple", version=registered.config.version)
    )
    assert deployed.deployment_id == 1
    return registered


async def start(client: Any, messages: Any) -> Any:  # noqa: ANN401 - made at run time
    initiator = messages.Initiator(type=messages.Initiator.HUMAN, name="cli")
    return (await client.StartRun(messages.StartRunRequest(pipeline_id="simple", initiator=initiator))).run


async def events_to_the_end(follower: Any) -> list[Any]:  # noqa: ANN401 - made at run time
    events = []
    async for reply in follower:
        events.append(reply.event)
        if reply.event.type == "RUN_COMPLETED":
            follower.cancel()
            break
    return events


async def test_it_registers_deploys_runs_and_follows_logs_and_events(client: Any, messages: Any) -> None:  # noqa: ANN401 - made at run time
    registered = await up(client, messages)
    follower = client.ListEvents(messages.ListEventsRequest(follow=True))
    started = await start(client, messages)
    events = await events_to_the_end(follower)
    log = client.GetTaskRunLogs(messages.GetTaskRunLogsRequest(pipeline_id="simple", run_id=1, id="first"))
    lines = [(reply.line_num, reply.log_line) async for reply in log]

    assert registered.metadata.state == messages.PipelineMetadata.ACTIVE
    assert sorted(registered.config.tasks) == ["first", "second"]
    assert (started.id, started.state) == (1, messages.Run.PENDING)
    assert lines == [(1, "one"), (2, "two")]
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    known = [event.type for event in events if event.type != "RUN_ADMITTED"]
    assert known[:5] == [
        "NAMESPACE_CREATED",
        "PIPELINE_REGISTERED",
        "PIPELINE_CONFIG_REGISTERED",
        "PIPELINE_DEPLOY_STARTED",
        "PIPELINE_DEPLOY_COMPLETED",
    ]
    assert known[5] == "RUN_STARTED"
    assert known[-1] == "RUN_COMPLETED"
    assert json.loads(events[-1].details) == {
        "namespace_id": "default",
        "pipeline_id": "simple",
        "run_id": 1,
        "status": "SUCCESSFUL",
        "initiator_type": "HUMAN",
        "initiator_name": "cli",
    }


async def test_what_it_reads_without_asking_is_never_null(client: Any, messages: Any) -> None:  # noqa: ANN401 - made at run time
    registered = await up(client, messages)
    started = await start(client, messages)
    await events_to_the_end(client.ListEvents(messages.ListEventsRequest(follow=True)))

    fetched = await client.GetPipeline(messages.GetPipelineRequest(id="simple"))
    run = await client.GetRun(messages.GetRunRequest(pipeline_id="simple", id=1))
    task_run = await client.GetTaskRun(messages.GetTaskRunRequest(pipeline_id="simple", run_id=1, id="second"))
    deployment = await client.GetDeployment(messages.GetDeploymentRequest(pipeline_id="simple", id=1))
    namespace = await client.GetNamespace(messages.GetNamespaceRequest(id="default"))
    event = await client.GetEvent(messages.GetEventRequest(id=1))

    for holder, names in (
        (registered, ("metadata", "config")),
        (fetched.pipeline, ("metadata", "config")),
        (started, ("initiator", "status_reason")),
        (run.run, ("initiator", "status_reason")),
        (task_run.task_run, ("task", "status_reason")),
        (deployment.deployment, ("status_reason",)),
        (namespace, ("namespace",)),
        (event, ("event",)),
    ):
        for name in names:
            assert holder.HasField(name), f"{type(holder).__name__}.{name}"
    assert task_run.task_run.version == 1


async def test_a_header_with_an_empty_token_is_let_in(client: Any, messages: Any) -> None:  # noqa: ANN401 - made at run time
    reply = await client.ListNamespaces(messages.ListNamespacesRequest(), metadata=(("authorization", "Bearer "),))

    assert [found.id for found in reply.namespaces] == ["default"]


async def test_it_starts_again_and_deletes(client: Any, messages: Any) -> None:  # noqa: ANN401 - made at run time
    await up(client, messages)
    started = await start(client, messages)
    await events_to_the_end(client.ListEvents(messages.ListEventsRequest(follow=True)))
    run, pipeline = {"pipeline_id": "simple", "run_id": 1}, messages.DeletePipelineRequest(id="simple")

    again = (await client.RetryRun(messages.RetryRunRequest(**run))).run
    await client.RepairOrphan(messages.RepairOrphanRequest(**run))
    switched = [(await client.ToggleEventIngress(messages.ToggleEventIngressRequest())).value for _ in range(2)]
    await client.DeleteTaskRunLogs(messages.DeleteTaskRunLogsRequest(**run, id="first"))
    first = await client.GetTaskRun(messages.GetTaskRunRequest(**run, id="first"))
    with pytest.raises(grpc.aio.AioRpcError) as live:
        await client.DeletePipelineConfig(messages.DeletePipelineConfigRequest(pipeline_id="simple", version=1))
    await client.DeletePipeline(pipeline)
    await client.CreateNamespace(messages.CreateNamespaceRequest(id="team", name="Team"))
    await client.DeleteNamespace(messages.DeleteNamespaceRequest(id="team"))

    assert (again.id, again.initiator.name) == (2, started.initiator.name)
    assert switched == [True, False]
    assert first.task_run.logs_removed
    assert live.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await client.DeletePipeline(pipeline)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    found = (await client.ListNamespaces(messages.ListNamespacesRequest())).namespaces
    assert [each.id for each in found] == ["default"]


async def test_errors_reach_it_with_their_code_and_words(client: Any, messages: Any) -> None:  # noqa: ANN401 - made at run time
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await client.GetPipeline(messages.GetPipelineRequest(id="nothing"))
    with pytest.raises(grpc.aio.AioRpcError) as not_due:
        await client.ListExtensions(messages.ListExtensionsRequest())

    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert "gofer up" in (unknown.value.details() or "")
    assert not_due.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "ListExtensions" in (not_due.value.details() or "")


async def test_it_works_with_tokens(guarded: Secured, modules: tuple[ModuleType, ModuleType]) -> None:
    """As 0.6 does it: `Bearer`, one space, 64 digits; tokens are named by themselves."""
    messages, stubs = modules
    content = (guarded.app.settings.data_folder / "server-tls.pem").read_bytes()
    certificate = content[: content.index(b"-----BEGIN PRIVATE KEY")]
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate)
    own = (("authorization", f"Bearer {guarded.management}"),)
    async with grpc.aio.secure_channel(f"localhost:{guarded.app.server.port}", credentials) as channel:
        client = stubs.GoferStub(channel)
        made = await client.CreateToken(
            messages.CreateTokenRequest(
                kind=messages.CreateTokenRequest.CLIENT, namespaces=["default"], metadata={"a": "b"}, expires="24h"
            ),
            metadata=own,
        )
        theirs = (("authorization", f"bearer {made.token}"),)
        listed = await client.ListTokens(messages.ListTokensRequest(), metadata=theirs)
        found = await client.GetToken(messages.GetTokenRequest(token=made.token), metadata=theirs)
        namespaces = await client.ListNamespaces(messages.ListNamespacesRequest(), metadata=theirs)
        await client.DisableToken(messages.DisableTokenRequest(token=made.token), metadata=own)
        with pytest.raises(grpc.aio.AioRpcError) as disabled:
            await client.ListNamespaces(messages.ListNamespacesRequest(), metadata=theirs)
        await client.EnableToken(messages.EnableTokenRequest(token=made.token), metadata=own)
        await client.ListNamespaces(messages.ListNamespacesRequest(), metadata=theirs)
        await client.DeleteToken(messages.DeleteTokenRequest(token=made.token), metadata=own)
        with pytest.raises(grpc.aio.AioRpcError) as again:
            await client.BootstrapToken(messages.BootstrapTokenRequest())

    assert (made.details.kind, dict(made.details.metadata)) == (messages.Token.CLIENT, {"a": "b"})
    assert [token.created for token in listed.tokens] == [found.details.created] == [made.details.created]
    assert [each.id for each in namespaces.namespaces] == ["default"]
    assert disabled.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert again.value.code() is grpc.StatusCode.FAILED_PRECONDITION
