"""Each method asks for what it was told to ask for, and gives what the server said."""

from collections.abc import Callable
from datetime import timedelta

import betterproto2
import pytest

from gofer_sdk import proto
from gofer_sdk.client import GoferClient, NewToken, Page, StartedRun, StoredPipeline, Token
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.calls import Case, each_of, outcome

CONFIG = proto.UserPipelineConfig(id="nightly", tasks=[proto.UserPipelineTaskConfig(id="build", image="busybox")])
ME = proto.Initiator(type=proto.InitiatorType.HUMAN, name="me")
PIPELINE = proto.Pipeline(metadata=proto.PipelineMetadata(id="nightly"), config=proto.PipelineConfig(version=3))
STORED = StoredPipeline(metadata=proto.PipelineMetadata(id="nightly"), config=proto.PipelineConfig(version=3))

CALLS: list[Case] = [
    (
        lambda client: client.system.info(),
        proto.GetSystemInfoRequest(),
        proto.GetSystemInfoResponse(semver="1.2.3", dev_mode=True),
        proto.GetSystemInfoResponse(semver="1.2.3", dev_mode=True),
    ),
    (
        lambda client: client.namespaces.create("team", name="Team", description="ours"),
        proto.CreateNamespaceRequest(id="team", name="Team", description="ours"),
        proto.CreateNamespaceResponse(namespace=proto.Namespace(id="team")),
        proto.Namespace(id="team"),
    ),
    (
        lambda client: client.namespaces.get("team"),
        proto.GetNamespaceRequest(id="team"),
        proto.GetNamespaceResponse(namespace=proto.Namespace(id="team")),
        proto.Namespace(id="team"),
    ),
    (
        lambda client: client.namespaces.list(limit=2, offset=1, cursor="c"),
        proto.ListNamespacesRequest(limit=2, offset=1, cursor="c"),
        proto.ListNamespacesResponse(namespaces=[proto.Namespace(id="team")], next_cursor="d"),
        Page(items=(proto.Namespace(id="team"),), next_cursor="d"),
    ),
    (
        lambda client: client.namespaces.update("team", name="Team", description="theirs"),
        proto.UpdateNamespaceRequest(id="team", name="Team", description="theirs"),
        proto.UpdateNamespaceResponse(),
        None,
    ),
    (
        lambda client: client.pipelines.register(CONFIG, namespace="team"),
        proto.RegisterPipelineConfigRequest(namespace_id="team", pipeline_config=CONFIG),
        proto.RegisterPipelineConfigResponse(pipeline=PIPELINE),
        STORED,
    ),
    (
        lambda client: client.pipelines.get("nightly", version=3, namespace="team"),
        proto.GetPipelineRequest(namespace_id="team", id="nightly", version=3),
        proto.GetPipelineResponse(pipeline=PIPELINE),
        STORED,
    ),
    (
        lambda client: client.pipelines.list(limit=2, offset=1, cursor="c", namespace="team"),
        proto.ListPipelinesRequest(limit=2, offset=1, cursor="c", namespace_id="team"),
        proto.ListPipelinesResponse(pipelines=[proto.PipelineMetadata(id="nightly")]),
        Page(items=(proto.PipelineMetadata(id="nightly"),), next_cursor=""),
    ),
    (
        lambda client: client.pipelines.enable("nightly", namespace="team"),
        proto.EnablePipelineRequest(namespace_id="team", id="nightly"),
        proto.EnablePipelineResponse(),
        None,
    ),
    (
        lambda client: client.pipelines.disable("nightly", namespace="team"),
        proto.DisablePipelineRequest(namespace_id="team", id="nightly"),
        proto.DisablePipelineResponse(),
        None,
    ),
    (
        lambda client: client.pipelines.get_config("nightly", version=2, namespace="team"),
        proto.GetPipelineConfigRequest(namespace_id="team", pipeline_id="nightly", version=2),
        proto.GetPipelineConfigResponse(config=proto.PipelineConfig(version=2)),
        proto.PipelineConfig(version=2),
    ),
    (
        lambda client: client.pipelines.list_configs("nightly", limit=2, offset=1, cursor="c", namespace="team"),
        proto.ListPipelineConfigsRequest(limit=2, offset=1, cursor="c", namespace_id="team", pipeline_id="nightly"),
        proto.ListPipelineConfigsResponse(configs=[proto.PipelineConfig(version=2)], next_cursor="1"),
        Page(items=(proto.PipelineConfig(version=2),), next_cursor="1"),
    ),
    (
        lambda client: client.pipelines.deploy("nightly", 2, namespace="team"),
        proto.DeployPipelineRequest(namespace_id="team", id="nightly", version=2),
        proto.DeployPipelineResponse(deployment_id=9),
        9,
    ),
    (
        lambda client: client.pipelines.get_deployment("nightly", 9, namespace="team"),
        proto.GetDeploymentRequest(namespace_id="team", pipeline_id="nightly", id=9),
        proto.GetDeploymentResponse(deployment=proto.Deployment(id=9)),
        proto.Deployment(id=9),
    ),
    (
        lambda client: client.pipelines.list_deployments("nightly", limit=2, offset=1, cursor="c", namespace="team"),
        proto.ListDeploymentsRequest(limit=2, offset=1, cursor="c", namespace_id="team", pipeline_id="nightly"),
        proto.ListDeploymentsResponse(deployments=[proto.Deployment(id=9)], next_cursor="8"),
        Page(items=(proto.Deployment(id=9),), next_cursor="8"),
    ),
    (
        lambda client: client.runs.start(
            "nightly", variables={"DAY": "monday"}, initiator=ME, request_id="once", namespace="team"
        ),
        proto.StartRunRequest(
            namespace_id="team",
            pipeline_id="nightly",
            variables={"DAY": "monday"},
            initiator=ME,
            request_id="once",
        ),
        proto.StartRunResponse(run=proto.Run(id=7), existing=True),
        StartedRun(run=proto.Run(id=7), existing=True),
    ),
    (
        lambda client: client.runs.start("nightly", request_id="once"),
        proto.StartRunRequest(
            pipeline_id="nightly",
            initiator=proto.Initiator(type=proto.InitiatorType.BOT, name="gofer_sdk"),
            request_id="once",
        ),
        proto.StartRunResponse(run=proto.Run(id=7)),
        StartedRun(run=proto.Run(id=7)),
    ),
    (
        lambda client: client.runs.get("nightly", 7, namespace="team"),
        proto.GetRunRequest(namespace_id="team", pipeline_id="nightly", id=7),
        proto.GetRunResponse(run=proto.Run(id=7)),
        proto.Run(id=7),
    ),
    (
        lambda client: client.runs.list("nightly", limit=2, offset=1, cursor="c", namespace="team"),
        proto.ListRunsRequest(limit=2, offset=1, cursor="c", namespace_id="team", pipeline_id="nightly"),
        proto.ListRunsResponse(runs=[proto.Run(id=7), proto.Run(id=6)], next_cursor="6"),
        Page(items=(proto.Run(id=7), proto.Run(id=6)), next_cursor="6"),
    ),
    (
        lambda client: client.runs.cancel("nightly", 7, force=True, namespace="team"),
        proto.CancelRunRequest(namespace_id="team", pipeline_id="nightly", run_id=7, force=True),
        proto.CancelRunResponse(),
        None,
    ),
    (
        lambda client: client.runs.cancel_all("nightly", force=True, namespace="team"),
        proto.CancelAllRunsRequest(namespace_id="team", pipeline_id="nightly", force=True),
        proto.CancelAllRunsResponse(runs=[7, 6]),
        (7, 6),
    ),
    (
        lambda client: client.task_runs.get("nightly", 7, "build", namespace="team"),
        proto.GetTaskRunRequest(namespace_id="team", pipeline_id="nightly", run_id=7, id="build"),
        proto.GetTaskRunResponse(task_run=proto.TaskRun(id="build")),
        proto.TaskRun(id="build"),
    ),
    (
        lambda client: client.task_runs.list("nightly", 7, limit=2, cursor="c", namespace="team"),
        proto.ListTaskRunsRequest(namespace_id="team", pipeline_id="nightly", run_id=7, limit=2, cursor="c"),
        proto.ListTaskRunsResponse(task_runs=[proto.TaskRun(id="build")], next_cursor="d"),
        Page(items=(proto.TaskRun(id="build"),), next_cursor="d"),
    ),
    (
        lambda client: client.task_runs.cancel("nightly", 7, "build", force=True, namespace="team"),
        proto.CancelTaskRunRequest(namespace_id="team", pipeline_id="nightly", run_id=7, id="build", force=True),
        proto.CancelTaskRunResponse(),
        None,
    ),
    (
        lambda client: client.events.get(5),
        proto.GetEventRequest(id=5),
        proto.GetEventResponse(event=proto.Event(id=5)),
        proto.Event(id=5),
    ),
]


@each_of(CALLS)
async def test_a_method_sends_its_request_and_gives_the_answer(
    server: FakeServer, client: GoferClient, case: Case
) -> None:
    assert case[-1] == await outcome(server, client, case)


async def test_each_goes_through_all_pages(server: FakeServer, client: GoferClient) -> None:
    pages = {
        "": proto.ListRunsResponse(runs=[proto.Run(id=5), proto.Run(id=4)], next_cursor="4"),
        "4": proto.ListRunsResponse(runs=[], next_cursor="3"),
        "3": proto.ListRunsResponse(runs=[proto.Run(id=1)]),
    }

    async def page(request: betterproto2.Message) -> betterproto2.Message:
        assert isinstance(request, proto.ListRunsRequest)
        assert (request.pipeline_id, request.namespace_id) == ("nightly", "team")
        return pages[request.cursor]

    server.answer("ListRuns", page)

    assert [run.id async for run in client.runs.each("nightly", namespace="team")] == [5, 4, 1]


TOKEN = proto.Token(id="5d41402abc4b", kind=proto.TokenKind.CLIENT)

TOKEN_CALLS: list[Case] = [
    (
        lambda client: client.tokens.bootstrap(),
        proto.BootstrapTokenRequest(),
        proto.BootstrapTokenResponse(details=TOKEN, token="f" * 64),
        TOKEN,
    ),
    (
        lambda client: client.tokens.create(
            namespaces=["team_*"], metadata={"owner": "anna"}, expires_in=timedelta(minutes=90)
        ),
        proto.CreateTokenRequest(
            kind=proto.CreateTokenRequestKind.CLIENT,
            namespaces=["team_*"],
            metadata={"owner": "anna"},
            expires="1h30m0s",
        ),
        proto.CreateTokenResponse(details=TOKEN, token="f" * 64),
        TOKEN,
    ),
    (
        lambda client: client.tokens.create(management=True, expires_in=timedelta(hours=1)),
        proto.CreateTokenRequest(kind=proto.CreateTokenRequestKind.MANAGEMENT, expires="1h0m0s"),
        proto.CreateTokenResponse(details=TOKEN, token="f" * 64),
        TOKEN,
    ),
    (
        lambda client: client.tokens.list(limit=2, offset=1, cursor="c", namespace="team"),
        proto.ListTokensRequest(namespace="team", limit=2, offset=1, cursor="c"),
        proto.ListTokensResponse(tokens=[TOKEN], next_cursor="d"),
        Page(items=(TOKEN,), next_cursor="d"),
    ),
    (
        lambda client: client.tokens.list(everywhere=True),
        proto.ListTokensRequest(everywhere=True),
        proto.ListTokensResponse(tokens=[TOKEN]),
        Page(items=(TOKEN,), next_cursor=""),
    ),
    (
        lambda client: client.tokens.get("5d41402abc4b"),
        proto.GetTokenRequest(id="5d41402abc4b"),
        proto.GetTokenResponse(details=TOKEN),
        TOKEN,
    ),
    (
        lambda client: client.tokens.get(Token("f" * 64)),
        proto.GetTokenRequest(token="f" * 64),
        proto.GetTokenResponse(details=TOKEN),
        TOKEN,
    ),
    (
        lambda client: client.tokens.enable("5d41402abc4b"),
        proto.EnableTokenRequest(id="5d41402abc4b"),
        proto.EnableTokenResponse(),
        None,
    ),
    (
        lambda client: client.tokens.disable(Token("f" * 64)),
        proto.DisableTokenRequest(token="f" * 64),
        proto.DisableTokenResponse(),
        None,
    ),
    (
        lambda client: client.tokens.delete("5d41402abc4b"),
        proto.DeleteTokenRequest(id="5d41402abc4b"),
        proto.DeleteTokenResponse(),
        None,
    ),
    (
        lambda client: client.tokens.who_am_i(),
        proto.WhoAmIRequest(),
        proto.WhoAmIResponse(details=TOKEN),
        proto.WhoAmIResponse(details=TOKEN),
    ),
]


@each_of(TOKEN_CALLS)
async def test_tokens_are_asked_for_by_their_id_or_by_themselves_and_never_shown(
    server: FakeServer, client: GoferClient, case: Case
) -> None:
    answer = await outcome(server, client, case)

    expected = case[-1]
    if isinstance(answer, NewToken):
        assert (answer.details, answer.token.reveal()) == (expected, "f" * 64)
        assert "f" * 64 not in repr(answer)
    else:
        assert answer == expected


EACH: list[tuple[str, Callable[[GoferClient], object], betterproto2.Message]] = [
    (
        "ListNamespaces",
        lambda client: client.namespaces.each(),
        proto.ListNamespacesResponse(namespaces=[proto.Namespace()]),
    ),
    (
        "ListPipelines",
        lambda client: client.pipelines.each(),
        proto.ListPipelinesResponse(pipelines=[proto.PipelineMetadata()]),
    ),
    (
        "ListPipelineConfigs",
        lambda client: client.pipelines.each_config("nightly"),
        proto.ListPipelineConfigsResponse(configs=[proto.PipelineConfig()]),
    ),
    (
        "ListDeployments",
        lambda client: client.pipelines.each_deployment("nightly"),
        proto.ListDeploymentsResponse(deployments=[proto.Deployment()]),
    ),
    (
        "ListTokens",
        lambda client: client.tokens.each(everywhere=True),
        proto.ListTokensResponse(tokens=[proto.Token()]),
    ),
    (
        "ListTaskRuns",
        lambda client: client.task_runs.each("nightly", 7),
        proto.ListTaskRunsResponse(task_runs=[proto.TaskRun()]),
    ),
]


@pytest.mark.parametrize(("rpc", "each", "reply"), EACH, ids=[entry[0] for entry in EACH])
async def test_every_list_can_be_gone_through(
    server: FakeServer,
    client: GoferClient,
    rpc: str,
    each: Callable[[GoferClient], object],
    reply: betterproto2.Message,
) -> None:
    server.answer(rpc, reply)

    items = each(client)

    assert hasattr(items, "__aiter__")
    assert len([item async for item in items]) == 1
