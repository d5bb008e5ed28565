"""What the tests of the API share: small requests, and waiting for what they set off."""

from collections.abc import Iterable, Mapping

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto

NEED = proto.UserPipelineTaskConfigRequiredParentStatus
CLI = proto.Initiator(type=proto.InitiatorType.HUMAN, name="cli")


def task(
    name: str,
    *parents: str,
    variables: Mapping[str, str] | None = None,
    need: proto.UserPipelineTaskConfigRequiredParentStatus = NEED.SUCCESS,
) -> proto.UserPipelineTaskConfig:
    """Make a task; on the memory engine its variables say what it does."""
    return proto.UserPipelineTaskConfig(
        id=name,
        image="busybox:latest",
        depends_on=dict.fromkeys(parents, need),
        variables=dict(variables or {}),
    )


def config(*tasks: proto.UserPipelineTaskConfig, pipeline: str = "simple") -> proto.UserPipelineConfig:
    return proto.UserPipelineConfig(id=pipeline, name="Simple", tasks=list(tasks or [task("hello")]))


async def register(
    stub: proto.GoferStub, *tasks: proto.UserPipelineTaskConfig, pipeline: str = "simple"
) -> proto.Pipeline:
    """Register a version and give what the server says of it."""
    request = proto.RegisterPipelineConfigRequest(pipeline_config=config(*tasks, pipeline=pipeline))
    reply = await stub.register_pipeline_config(request)
    assert reply.pipeline is not None
    return reply.pipeline


async def deploy(stub: proto.GoferStub, version: int = 1, *, pipeline: str = "simple") -> int:
    reply = await stub.deploy_pipeline(proto.DeployPipelineRequest(id=pipeline, version=version))
    return reply.deployment_id


async def up(stub: proto.GoferStub, *tasks: proto.UserPipelineTaskConfig, pipeline: str = "simple") -> None:
    """Register and deploy, as `gofer up` does."""
    registered = await register(stub, *tasks, pipeline=pipeline)
    assert registered.config is not None
    await deploy(stub, registered.config.version, pipeline=pipeline)


async def start(
    stub: proto.GoferStub, *, pipeline: str = "simple", variables: Mapping[str, str] | None = None
) -> proto.Run:
    request = proto.StartRunRequest(pipeline_id=pipeline, initiator=CLI, variables=dict(variables or {}))
    reply = await stub.start_run(request)
    assert reply.run is not None
    return reply.run


async def ended(stub: proto.GoferStub, run: proto.Run) -> proto.Run:
    """Wait for the end of a run and give it."""
    query = proto.ListEventsRequest(
        follow=True,
        kinds=["RUN_COMPLETED"],
        namespace_id=run.namespace,
        pipeline_id=run.pipeline,
        run_id=run.id,
        limit=1,
    )
    async for _ in stub.list_events(query):
        pass
    reply = await stub.get_run(proto.GetRunRequest(namespace_id=run.namespace, pipeline_id=run.pipeline, id=run.id))
    assert reply.run is not None
    return reply.run


async def kinds(stub: proto.GoferStub, *, leave_out: Iterable[str] = ()) -> list[str]:
    """Give the kinds of all events so far."""
    events = [reply.event async for reply in stub.list_events(proto.ListEventsRequest())]
    return [event.type for event in events if event is not None and event.type not in set(leave_out)]


def status_of(error: GRPCError) -> tuple[Status, str]:
    return error.status, error.message or ""
