import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.service.wire import config, deploy, kinds, register, task, up

LIVE = proto.PipelineConfigPipelineConfigState.LIVE
DEPRECATED = proto.PipelineConfigPipelineConfigState.DEPRECATED


async def get(stub: proto.GoferStub, version: int = 0, *, pipeline: str = "simple") -> proto.Pipeline:
    reply = await stub.get_pipeline(proto.GetPipelineRequest(id=pipeline, version=version))
    assert reply.pipeline is not None
    return reply.pipeline


async def states(stub: proto.GoferStub) -> dict[int, str | None]:
    reply = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))
    return {found.version: found.state.name for found in reply.configs}


async def test_a_registered_pipeline_comes_back_with_its_tasks_as_a_map(stub: proto.GoferStub) -> None:
    made = await register(stub, task("one"), task("two", "one"))

    assert made.metadata is not None
    assert made.config is not None
    assert made.metadata.state is proto.PipelineMetadataPipelineState.ACTIVE
    assert (made.config.version, made.config.state.name, sorted(made.config.tasks)) == (1, "UNRELEASED", ["one", "two"])
    assert made.config.tasks["two"].depends_on == {"one": proto.TaskRequiredParentStatus.SUCCESS}
    assert await get(stub, 1) == made


async def test_registering_and_deploying_tell_their_events_in_order(stub: proto.GoferStub) -> None:
    await up(stub)
    await up(stub)

    assert await kinds(stub) == [
        "NAMESPACE_CREATED",
        "PIPELINE_REGISTERED",
        *["PIPELINE_CONFIG_REGISTERED", "PIPELINE_DEPLOY_STARTED", "PIPELINE_DEPLOY_COMPLETED"] * 2,
    ]


async def test_version_0_is_the_live_one_and_an_older_one_rolls_back(stub: proto.GoferStub) -> None:
    for _ in range(2):
        await up(stub)
    assert await states(stub) == {2: "LIVE", 1: "DEPRECATED"}

    assert await deploy(stub, 1) == 3

    assert await states(stub) == {2: "DEPRECATED", 1: "LIVE"}
    live = await stub.get_pipeline_config(proto.GetPipelineConfigRequest(pipeline_id="simple"))
    assert live.config is not None
    assert (live.config.version, live.config.deprecated) == (1, 0)
    assert (await get(stub)).config == live.config


async def test_deployments_are_listed_newest_first_and_looked_up(stub: proto.GoferStub) -> None:
    for _ in range(2):
        await up(stub)

    listed = await stub.list_deployments(proto.ListDeploymentsRequest(pipeline_id="simple"))
    one = await stub.get_deployment(proto.GetDeploymentRequest(pipeline_id="simple", id=2))

    assert [(found.id, found.start_version, found.end_version) for found in listed.deployments] == [
        (2, 1, 2),
        (1, 1, 1),
    ]
    assert one.deployment == listed.deployments[0]
    assert one.deployment.status is proto.DeploymentDeploymentStatus.SUCCESSFUL
    assert one.deployment.status_reason == proto.DeploymentStatusReason()


async def test_registry_credentials_come_back_masked(stub: proto.GoferStub) -> None:
    secret = task("one")
    secret.registry_auth = proto.RegistryAuth(user="me", pass_="hunter22")

    made = await register(stub, secret)

    assert made.config is not None
    assert made.config.tasks["one"].registry_auth == proto.RegistryAuth(user="me", pass_="***")
    assert "hunter22" not in repr(await get(stub, 1))


async def test_a_bad_pipeline_is_refused_with_every_fault_and_nothing_is_stored(stub: proto.GoferStub) -> None:
    with pytest.raises(GRPCError) as refused:
        await register(stub, task("one", "two"), task("two", "one"), task("x"), pipeline="a-b")

    assert refused.value.status is Status.INVALID_ARGUMENT
    for fault in ("'a-b'", "one -> two -> one", "'x' is too short"):
        assert fault in (refused.value.message or "")
    assert (await stub.list_pipelines(proto.ListPipelinesRequest())).pipelines == []
    assert await kinds(stub) == ["NAMESPACE_CREATED"]


async def test_no_pipeline_at_all_is_refused(stub: proto.GoferStub) -> None:
    with pytest.raises(GRPCError, match="pipeline_config is missing") as refused:
        await stub.register_pipeline_config(proto.RegisterPipelineConfigRequest())

    assert refused.value.status is Status.INVALID_ARGUMENT


async def test_disabling_and_enabling_show_and_tell(stub: proto.GoferStub) -> None:
    await up(stub)
    before = await kinds(stub)

    for _ in range(2):
        await stub.disable_pipeline(proto.DisablePipelineRequest(id="simple"))
    disabled = (await get(stub)).metadata
    for _ in range(2):
        await stub.enable_pipeline(proto.EnablePipelineRequest(id="simple"))
    enabled = (await get(stub)).metadata

    assert disabled is not None
    assert enabled is not None
    assert disabled.state is proto.PipelineMetadataPipelineState.DISABLED
    assert enabled.state is proto.PipelineMetadataPipelineState.ACTIVE
    assert (await kinds(stub))[len(before) :] == ["PIPELINE_DISABLED", "PIPELINE_ENABLED"]


async def test_pipelines_and_their_versions_are_listed_page_by_page(stub: proto.GoferStub) -> None:
    for name in ("aaa", "ccc", "bbb"):
        await register(stub, pipeline=name)
    await register(stub, pipeline="ccc")

    first = await stub.list_pipelines(proto.ListPipelinesRequest(limit=2))
    second = await stub.list_pipelines(proto.ListPipelinesRequest(limit=2, cursor=first.next_cursor))
    versions = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="ccc", limit=1))

    assert [found.id for found in first.pipelines] == ["ccc", "bbb"]
    assert [found.id for found in second.pipelines] == ["aaa"]
    assert [found.version for found in versions.configs] == [2]
    assert versions.next_cursor


async def test_the_namespace_may_be_named_or_left_out(stub: proto.GoferStub) -> None:
    await stub.create_namespace(proto.CreateNamespaceRequest(id="team", name="A team"))
    request = proto.RegisterPipelineConfigRequest(namespace_id="team", pipeline_config=config())
    await stub.register_pipeline_config(request)

    there = await stub.list_pipelines(proto.ListPipelinesRequest(namespace_id="team"))
    here = await stub.list_pipelines(proto.ListPipelinesRequest())

    assert [found.namespace for found in there.pipelines] == ["team"]
    assert here.pipelines == []


async def test_what_there_is_not_is_not_found(stub: proto.GoferStub) -> None:
    await register(stub)

    for call in (
        get(stub),
        get(stub, 7),
        get(stub, pipeline="nothing"),
        deploy(stub, 7),
        deploy(stub, 0),
        deploy(stub, pipeline="nothing"),
        stub.get_pipeline_config(proto.GetPipelineConfigRequest(pipeline_id="simple", version=7)),
        stub.get_deployment(proto.GetDeploymentRequest(pipeline_id="simple", id=7)),
        stub.enable_pipeline(proto.EnablePipelineRequest(id="nothing")),
        stub.list_pipelines(proto.ListPipelinesRequest(namespace_id="nothing")),
    ):
        with pytest.raises(GRPCError) as refused:
            await call
        assert refused.value.status is Status.NOT_FOUND


async def test_a_missing_id_is_named(stub: proto.GoferStub) -> None:
    for call in (
        get(stub, pipeline=""),
        deploy(stub, pipeline=""),
        stub.list_pipeline_configs(proto.ListPipelineConfigsRequest()),
        stub.list_deployments(proto.ListDeploymentsRequest()),
        stub.get_deployment(proto.GetDeploymentRequest(pipeline_id="simple")),
    ):
        with pytest.raises(GRPCError, match="is missing") as refused:
            await call
        assert refused.value.status is Status.INVALID_ARGUMENT


async def test_a_page_of_large_versions_is_short_enough_for_a_message_that_clients_take(stub: proto.GoferStub) -> None:
    large = proto.UserPipelineTaskConfig(id="large", image="busybox", command=["x" * 100_000] * 10)
    other = proto.UserPipelineTaskConfig(id="other", image="busybox", command=["x" * 100_000] * 10)
    for _ in range(4):
        await register(stub, large, other)

    first = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))
    second = await stub.list_pipeline_configs(
        proto.ListPipelineConfigsRequest(pipeline_id="simple", cursor=first.next_cursor)
    )

    assert [found.version for found in first.configs] == [4]
    assert [found.version for found in second.configs] == [3]
    assert second.next_cursor


async def test_a_page_of_versions_with_many_small_variables_is_short_enough_too(stub: proto.GoferStub) -> None:
    """On the wire each variable says where it comes from, which weighs more than a short name and value."""
    many = proto.UserPipelineTaskConfig(
        id="many", image="busybox", variables={f"{number}": "" for number in range(40_000)}
    )
    for _ in range(4):
        await register(stub, many)

    listed = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))

    assert listed.next_cursor
    assert len(encode(listed)) < 4 * 1024 * 1024
