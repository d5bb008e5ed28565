"""Pipelines and namespaces deleted over the wire."""

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from tests.service.secured import Secured
from tests.service.wire import config, kinds, start, task, up

HOLD = {"GOFER_MEMORY_HOLD": "true"}
TEAM = "team_a"


async def refusal(work: object) -> Status:
    with pytest.raises(GRPCError) as caught:
        await work  # type: ignore[misc]  # a call that has begun
    return caught.value.status


async def test_a_pipeline_is_gone_when_the_call_returns(stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables=HOLD))
    await start(stub)

    reply = await stub.delete_pipeline(proto.DeletePipelineRequest(id="simple"))

    assert "default" == reply.namespace_id
    assert Status.NOT_FOUND is await refusal(stub.get_pipeline(proto.GetPipelineRequest(id="simple")))
    assert [] == (await stub.list_pipelines(proto.ListPipelinesRequest())).pipelines
    assert Status.NOT_FOUND is await refusal(stub.delete_pipeline(proto.DeletePipelineRequest(id="simple")))
    assert Status.INVALID_ARGUMENT is await refusal(stub.delete_pipeline(proto.DeletePipelineRequest()))
    assert ["RUN_COMPLETED", "PIPELINE_DELETED"] == (await kinds(stub))[-2:]
    await up(stub)
    assert 2 == (await start(stub)).id


async def test_who_does_not_wait_is_told_what_to_listen_for(stub: proto.GoferStub) -> None:
    await up(stub)

    reply = await stub.delete_pipeline(proto.DeletePipelineRequest(id="simple", no_wait=True))
    only = proto.ListEventsRequest(follow=True, kinds=["PIPELINE_DELETED"], after_id=reply.after_event, limit=1)
    async for _ in stub.list_events(only):
        pass

    assert Status.NOT_FOUND is await refusal(stub.get_pipeline(proto.GetPipelineRequest(id="simple")))


async def test_a_namespace_goes_and_with_it_what_its_tokens_open(guarded: Secured) -> None:
    await guarded.with_namespaces(TEAM)
    registered = proto.RegisterPipelineConfigRequest(namespace_id=TEAM, pipeline_config=config())
    await guarded.admin.register_pipeline_config(registered)
    client = await guarded.client(TEAM)
    wide = await guarded.client("team_*")
    wanted = proto.ListPipelinesRequest(namespace_id=TEAM)
    assert (await client.list_pipelines(wanted)).pipelines
    assert Status.PERMISSION_DENIED is await refusal(client.delete_namespace(proto.DeleteNamespaceRequest(id=TEAM)))

    await guarded.admin.delete_namespace(proto.DeleteNamespaceRequest(id=TEAM))

    assert Status.NOT_FOUND is await refusal(guarded.admin.get_namespace(proto.GetNamespaceRequest(id=TEAM)))
    assert Status.PERMISSION_DENIED is await refusal(client.list_pipelines(wanted))
    await guarded.with_namespaces(TEAM)
    assert Status.PERMISSION_DENIED is await refusal(client.list_pipelines(wanted))
    assert [] == (await wide.list_pipelines(wanted)).pipelines


async def test_what_must_stay_stays(guarded: Secured) -> None:
    admin = guarded.admin

    for wanted, status in (
        ("default", Status.FAILED_PRECONDITION),
        ("nothing", Status.NOT_FOUND),
        ("", Status.INVALID_ARGUMENT),
    ):
        assert status is await refusal(admin.delete_namespace(proto.DeleteNamespaceRequest(id=wanted)))
