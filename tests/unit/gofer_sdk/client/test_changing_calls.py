"""Each method that starts again, mends or deletes asks for what it was told to ask for."""

from collections.abc import AsyncIterator

import betterproto2

from gofer_sdk import proto
from gofer_sdk.client import GoferClient, StartedRun
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.calls import Case, each_of, outcome

ME = proto.Initiator(type=proto.InitiatorType.HUMAN, name="me")

CALLS: list[Case] = [
    (
        lambda client: client.pipelines.delete("nightly", wait=False, namespace="team"),
        proto.DeletePipelineRequest(namespace_id="team", id="nightly", no_wait=True),
        proto.DeletePipelineResponse(after_event=9, namespace_id="team"),
        None,
    ),
    (
        lambda client: client.namespaces.delete("team", wait=False),
        proto.DeleteNamespaceRequest(id="team", no_wait=True),
        proto.DeleteNamespaceResponse(after_event=9),
        None,
    ),
    (
        lambda client: client.pipelines.delete_config("nightly", 2, namespace="team"),
        proto.DeletePipelineConfigRequest(namespace_id="team", pipeline_id="nightly", version=2),
        proto.DeletePipelineConfigResponse(),
        None,
    ),
    (
        lambda client: client.task_runs.delete_logs("nightly", 7, "build", namespace="team"),
        proto.DeleteTaskRunLogsRequest(namespace_id="team", pipeline_id="nightly", run_id=7, id="build"),
        proto.DeleteTaskRunLogsResponse(),
        None,
    ),
    (
        lambda client: client.runs.retry(
            "nightly", 7, same_version=True, initiator=ME, request_id="once", namespace="team"
        ),
        proto.RetryRunRequest(
            namespace_id="team",
            pipeline_id="nightly",
            run_id=7,
            initiator=ME,
            same_version=True,
            request_id="once",
        ),
        proto.RetryRunResponse(run=proto.Run(id=8)),
        StartedRun(run=proto.Run(id=8)),
    ),
    (
        lambda client: client.runs.repair("nightly", 7, namespace="team"),
        proto.RepairOrphanRequest(namespace_id="team", pipeline_id="nightly", run_id=7),
        proto.RepairOrphanResponse(),
        None,
    ),
    (
        lambda client: client.system.toggle_event_ingress(),
        proto.ToggleEventIngressRequest(),
        proto.ToggleEventIngressResponse(value=True),
        False,
    ),
]


@each_of(CALLS)
async def test_it_asks_for_what_it_was_told_to(server: FakeServer, client: GoferClient, case: Case) -> None:
    assert case[-1] == await outcome(server, client, case)


async def test_a_deletion_is_waited_for_by_the_event_that_tells_of_it(server: FakeServer, client: GoferClient) -> None:
    async def gone(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        yield proto.ListEventsResponse(event=proto.Event(id=12))

    server.answer("DeletePipeline", proto.DeletePipelineResponse(after_event=9, namespace_id="team"))
    server.answer("DeleteNamespace", proto.DeleteNamespaceResponse(after_event=9))
    server.stream("ListEvents", gone)

    await client.pipelines.delete("nightly")
    await client.namespaces.delete("team")

    waits = [each for each in server.requests if isinstance(each, proto.ListEventsRequest)]
    assert [(["PIPELINE_DELETED"], "team", "nightly", 9), (["NAMESPACE_DELETED"], "team", "", 9)] == [
        (each.kinds, each.namespace_id, each.pipeline_id, each.after_id) for each in waits
    ]
