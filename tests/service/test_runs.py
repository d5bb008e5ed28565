import asyncio

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.service.wire import CLI, NEED, ended, kinds, start, task, up

HOLD = {"GOFER_MEMORY_HOLD": "true"}
STATE, STATUS = proto.RunRunState, proto.RunRunStatus


async def runs(stub: proto.GoferStub, **page: object) -> tuple[list[int], str]:
    request = proto.ListRunsRequest(pipeline_id="simple", **page)  # type: ignore[arg-type]  # its own fields
    reply = await stub.list_runs(request)
    return [run.id for run in reply.runs], reply.next_cursor


async def cancel(stub: proto.GoferStub, run: int, *, force: bool = False) -> None:
    await stub.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=run, force=force))


async def happened(stub: proto.GoferStub, kind: str, *, run: int = 1) -> None:
    """Wait until an event of the kind has happened to the run."""
    query = proto.ListEventsRequest(
        follow=True, kinds=[kind], namespace_id="default", pipeline_id="simple", run_id=run, limit=1
    )
    async for _ in stub.list_events(query):
        pass


async def task_runs(stub: proto.GoferStub, run: int = 1) -> dict[str, proto.TaskRun]:
    reply = await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=run))
    return {found.id: found for found in reply.task_runs}


async def test_a_run_is_answered_as_it_was_created_and_goes_to_its_end(stub: proto.GoferStub) -> None:
    await up(stub)
    before = len(await kinds(stub))

    started = await start(stub, variables={"KEY": "value"})
    run = await ended(stub, started)

    assert (started.id, started.version, started.state, started.ended) == (1, 1, STATE.PENDING, 0)
    assert started.status_reason == proto.RunStatusReason()
    assert started.initiator == CLI
    assert started.variables == [proto.Variable(key="KEY", value="value", source="RUN_OPTIONS")]
    assert (run.state, run.status) == (STATE.COMPLETE, STATUS.SUCCESSFUL)
    assert started.started == run.started <= run.admitted <= run.ended
    assert (await kinds(stub, leave_out=["RUN_ADMITTED"]))[before:] == [
        "RUN_STARTED",
        "TASKRUN_CREATED",
        "TASKRUN_STARTED",
        "TASKRUN_COMPLETED",
        "RUN_COMPLETED",
    ]


async def test_a_graph_runs_skips_and_fails_as_its_requirements_say(stub: proto.GoferStub) -> None:
    await up(
        stub,
        task("bad", variables={"GOFER_MEMORY_EXIT_CODE": "3"}),
        task("after", "bad"),
        task("cleanup", "bad", need=NEED.FAILURE),
        task("last", "after", "cleanup", need=NEED.ANY),
    )

    run = await ended(stub, await start(stub))

    found = await task_runs(stub)
    assert (run.status, run.status_reason and run.status_reason.code) == (STATUS.FAILED, "abnormal_exit")
    assert {name: each.status.name for name, each in found.items()} == {
        "bad": "FAILED",
        "after": "SKIPPED",
        "cleanup": "SUCCESSFUL",
        "last": "SUCCESSFUL",
    }
    assert {name: each.exit_code for name, each in found.items()} == {"bad": 3, "after": 999, "cleanup": 0, "last": 0}


async def test_the_same_request_gives_the_same_run(stub: proto.GoferStub) -> None:
    await up(stub)
    request = proto.StartRunRequest(pipeline_id="simple", initiator=CLI, request_id="abc")

    replies = await asyncio.gather(*(stub.start_run(request) for _ in range(5)))

    assert {reply.run.id for reply in replies if reply.run} == {1}
    assert sorted(reply.existing for reply in replies) == [False, True, True, True, True]
    assert await runs(stub) == ([1], "")


async def test_many_starts_at_once_get_ids_of_their_own(stub: proto.GoferStub) -> None:
    await up(stub)

    started = await asyncio.gather(*(start(stub) for _ in range(20)))

    assert sorted(run.id for run in started) == list(range(1, 21))
    for run in started:
        assert (await ended(stub, run)).status is STATUS.SUCCESSFUL


async def test_runs_are_listed_newest_first_page_by_page(stub: proto.GoferStub) -> None:
    await up(stub)
    for _ in range(3):
        await start(stub)

    first, cursor = await runs(stub, limit=2)

    assert first == [3, 2]
    assert await runs(stub, limit=2, cursor=cursor) == ([1], "")
    assert await runs(stub, offset=2) == ([1], "")
    assert await runs(stub, offset=9) == ([], "")


async def test_runs_of_what_does_not_exist_are_none(stub: proto.GoferStub) -> None:
    assert (await stub.list_runs(proto.ListRunsRequest(pipeline_id="nothing"))).runs == []
    reply = await stub.cancel_all_runs(proto.CancelAllRunsRequest(pipeline_id="nothing"))
    assert reply.runs == []


async def test_a_run_is_cancelled_and_so_are_its_tasks(stub: proto.GoferStub) -> None:
    await up(stub, task("one", variables=HOLD), task("two", "one"))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")

    await cancel(stub, 1)
    run = await ended(stub, started)
    await cancel(stub, 1)

    assert (run.status, run.status_reason and run.status_reason.reason.name) == (STATUS.CANCELLED, "USER_CANCELLED")
    assert run.cancel_requested > 0
    found = await task_runs(stub)
    assert {name: each.status.name for name, each in found.items()} == {"one": "CANCELLED", "two": "CANCELLED"}
    assert {each.exit_code for each in found.values()} == {999}
    assert found["one"].exit_code_known == 143


async def test_a_run_that_does_not_listen_is_killed_after_the_grace_or_at_once_by_force(stub: proto.GoferStub) -> None:
    await up(stub, task("one", variables=HOLD | {"GOFER_MEMORY_IGNORE_SIGTERM": "true"}))
    first, second = [await start(stub) for _ in range(2)]
    for run in (1, 2):
        await happened(stub, "TASKRUN_STARTED", run=run)

    await cancel(stub, 1)
    await cancel(stub, 2, force=True)

    forced, patient = await ended(stub, second), await ended(stub, first)
    assert {forced.status, patient.status} == {STATUS.CANCELLED}
    assert forced.ended - forced.cancel_requested < patient.ended - patient.cancel_requested


async def test_all_unfinished_runs_are_cancelled_and_named(stub: proto.GoferStub) -> None:
    await up(stub, task("one"))
    await ended(stub, await start(stub))
    await up(stub, task("one", variables=HOLD))
    held = [await start(stub) for _ in range(2)]

    reply = await stub.cancel_all_runs(proto.CancelAllRunsRequest(pipeline_id="simple", force=True))

    assert reply.runs == [2, 3]
    for run in held:
        assert (await ended(stub, run)).status is STATUS.CANCELLED
    assert (await stub.cancel_all_runs(proto.CancelAllRunsRequest(pipeline_id="simple"))).runs == []


async def test_a_full_pipeline_queues_and_a_queued_run_is_cancelled_at_once(stub: proto.GoferStub) -> None:
    config = proto.UserPipelineConfig(id="simple", parallelism=1, tasks=[task("one", variables=HOLD)])
    await stub.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=config))
    await stub.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))
    running, dropped, waiting = [await start(stub) for _ in range(3)]
    await happened(stub, "TASKRUN_STARTED")

    await cancel(stub, dropped.id)

    assert (await ended(stub, dropped)).status is STATUS.CANCELLED
    assert await task_runs(stub, dropped.id) == {}
    reply = await stub.get_run(proto.GetRunRequest(pipeline_id="simple", id=waiting.id))
    assert reply.run is not None
    assert reply.run.state is STATE.PENDING
    await cancel(stub, running.id, force=True)
    await happened(stub, "TASKRUN_STARTED", run=waiting.id)
    await cancel(stub, waiting.id, force=True)
    assert (await ended(stub, waiting)).status is STATUS.CANCELLED


async def test_what_may_not_start_is_refused_in_words(stub: proto.GoferStub) -> None:
    def request(pipeline: str = "simple", **fields: object) -> proto.StartRunRequest:
        return proto.StartRunRequest(pipeline_id=pipeline, **({"initiator": CLI} | fields))  # type: ignore[arg-type]  # its own fields

    await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(pipeline_config=proto.UserPipelineConfig(id="fresh", tasks=[task("one")]))
    )
    await up(stub)
    await stub.disable_pipeline(proto.DisablePipelineRequest(id="simple"))

    for wrong, status, fault in (
        (request("nothing"), Status.NOT_FOUND, "no pipeline 'nothing'"),
        (request("fresh"), Status.FAILED_PRECONDITION, "gofer up"),
        (request(), Status.FAILED_PRECONDITION, "gofer pipeline enable"),
        (request(""), Status.INVALID_ARGUMENT, "pipeline"),
        (request(namespace_id="nothing"), Status.NOT_FOUND, "no namespace 'nothing'"),
        (request(initiator=None), Status.INVALID_ARGUMENT, "initiator"),
        (request(initiator=proto.Initiator()), Status.INVALID_ARGUMENT, "initiator"),
        (request(variables={"A=B": "1"}), Status.INVALID_ARGUMENT, "A=B"),
        (request(variables={"A": "\0"}), Status.INVALID_ARGUMENT, "NUL"),
        (request(variables={f"K{n}": "x" * 100_000 for n in range(6)}), Status.INVALID_ARGUMENT, "as an object"),
        (request(initiator=proto.Initiator(name="x" * 2000)), Status.INVALID_ARGUMENT, "shorten it"),
    ):
        with pytest.raises(GRPCError, match=fault) as refused:
            await stub.start_run(wrong)
        assert refused.value.status is status
    assert await runs(stub) == ([], "")


async def test_what_there_is_not_is_neither_given_nor_cancelled(stub: proto.GoferStub) -> None:
    await up(stub)

    for call, status in (
        (stub.get_run(proto.GetRunRequest(pipeline_id="simple", id=7)), Status.NOT_FOUND),
        (stub.get_run(proto.GetRunRequest(pipeline_id="nothing", id=1)), Status.NOT_FOUND),
        (stub.get_run(proto.GetRunRequest(pipeline_id="simple")), Status.INVALID_ARGUMENT),
        (stub.get_run(proto.GetRunRequest(id=1)), Status.INVALID_ARGUMENT),
        (stub.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=7)), Status.NOT_FOUND),
        (stub.list_runs(proto.ListRunsRequest()), Status.INVALID_ARGUMENT),
    ):
        with pytest.raises(GRPCError) as refused:
            await call
        assert refused.value.status is status


async def test_a_page_of_large_runs_is_short_enough_for_a_message_that_clients_take(stub: proto.GoferStub) -> None:
    """Thirty runs with half a megabyte of variables each were one message of 15 MB; most clients take 4."""
    await up(stub)
    large = {f"K{number}": "x" * 100_000 for number in range(5)}
    for _ in range(8):
        await ended(stub, await start(stub, variables=large))

    found: list[int] = []
    sizes: list[int] = []
    cursor = ""
    while not found or cursor:
        reply = await stub.list_runs(proto.ListRunsRequest(pipeline_id="simple", cursor=cursor))
        found += [run.id for run in reply.runs]
        sizes.append(len(encode(reply)))
        cursor = reply.next_cursor

    assert found == list(range(8, 0, -1))
    assert max(sizes) < 4 * 1024 * 1024


async def test_a_run_tells_which_engine_its_tasks_are_given_to(stub: proto.GoferStub) -> None:
    """It was never told."""
    await up(stub)
    begun = await start(stub)
    over = await ended(stub, begun)
    listed = await stub.list_runs(proto.ListRunsRequest(pipeline_id="simple"))

    assert (begun.engine, over.engine) == ("memory", "memory")
    assert [run.engine for run in listed.runs] == ["memory"]
