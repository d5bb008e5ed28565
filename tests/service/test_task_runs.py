import base64

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import App
from gofer.core.ids import AttemptId
from gofer.engines.scheduler.memory import MemoryEngine
from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.service.wire import ended, start, task, up

HOLD = {"GOFER_MEMORY_HOLD": "true"}


def output(*pieces: bytes) -> dict[str, str]:
    return {"GOFER_MEMORY_OUTPUT": " ".join(f"out:{base64.b64encode(piece).decode()}" for piece in pieces)}


async def get(stub: proto.GoferStub, name: str = "hello", *, run: int = 1) -> proto.TaskRun:
    reply = await stub.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=run, id=name))
    assert reply.task_run is not None
    return reply.task_run


async def happened(stub: proto.GoferStub, kind: str) -> None:
    """Wait until an event of the kind has happened to the first run."""
    query = proto.ListEventsRequest(
        follow=True, kinds=[kind], namespace_id="default", pipeline_id="simple", run_id=1, limit=1
    )
    async for _ in stub.list_events(query):
        pass


def container_of(app: App) -> tuple[MemoryEngine, AttemptId]:
    """Give the engine, and the attempt that it started first."""
    assert isinstance(app.engine, MemoryEngine)
    return app.engine, app.engine.starts[0]


def logs_request(name: str = "hello", **fields: object) -> proto.GetTaskRunLogsRequest:
    return proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=1, id=name, **fields)  # type: ignore[arg-type]  # its own fields


async def lines(stub: proto.GoferStub, request: proto.GetTaskRunLogsRequest) -> list[tuple[int, str]]:
    return [(reply.line_num, reply.log_line) async for reply in stub.get_task_run_logs(request)]


async def raw(stub: proto.GoferStub, *, offset_bytes: int = 0, tail_lines: int = 0) -> bytes:
    log = b""
    begin = None
    async for reply in stub.get_task_run_logs(logs_request(raw=True, offset_bytes=offset_bytes, tail_lines=tail_lines)):
        begin = reply.offset_bytes if begin is None else begin
        assert reply.offset_bytes == begin + len(log)
        log += reply.chunk
    return log


async def run_with(stub: proto.GoferStub, variables: dict[str, str]) -> None:
    await up(stub, task("hello", variables=variables))
    await ended(stub, await start(stub))


async def test_a_task_run_comes_with_its_definition_and_environment(stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables={"KEY": "config", "BOTH": "config"}))
    await ended(stub, await start(stub, variables={"BOTH": "given", "GOFER_RUN_ID": "mine"}))

    found = await get(stub)

    assert (found.state.name, found.status.name, found.exit_code, found.version) == ("COMPLETE", "SUCCESSFUL", 0, 1)
    assert (found.attempt, found.engine, found.substate) == (1, "memory", "SUCCEEDED")
    assert found.created <= found.started <= found.ended
    assert found.status_reason == proto.TaskRunStatusReason()
    assert found.task is not None
    assert found.task.image == "busybox:latest"
    variables = {each.key: (each.value, each.source) for each in found.variables}
    assert len(variables) == len(found.variables)
    assert variables["KEY"] == ("config", "PIPELINE_CONFIG")
    assert variables["BOTH"] == ("given", "RUN_OPTIONS")
    assert variables["GOFER_RUN_ID"] == ("mine", "RUN_OPTIONS")
    assert variables["GOFER_TASK_ID"] == ("hello", "SYSTEM")


async def test_a_task_run_that_waits_says_so_and_starts_when_its_parents_have_ended(
    app: App, stub: proto.GoferStub
) -> None:
    await up(stub, task("one", variables=HOLD), task("two", "one"))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")

    listed = await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=1))

    assert [(found.id, found.state.name, found.exit_code) for found in listed.task_runs] == [
        ("two", "WAITING", 999),
        ("one", "RUNNING", 999),
    ]
    engine, attempt = container_of(app)
    engine.release(attempt)
    await ended(stub, started)
    assert (await get(stub, "two")).state.name == "COMPLETE"


async def test_task_runs_are_listed_page_by_page(stub: proto.GoferStub) -> None:
    await up(stub, *(task(name) for name in ("one", "two", "three")))
    await ended(stub, await start(stub))

    first = await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=1, limit=2))
    second = await stub.list_task_runs(
        proto.ListTaskRunsRequest(pipeline_id="simple", run_id=1, limit=2, cursor=first.next_cursor)
    )

    names = [found.id for found in (*first.task_runs, *second.task_runs)]
    assert sorted(names) == ["one", "three", "two"]
    assert (len(first.task_runs), second.next_cursor) == (2, "")


async def test_one_task_run_is_cancelled_and_the_others_go_on(stub: proto.GoferStub) -> None:
    await up(stub, task("one", variables=HOLD), task("two", "one"), task("three"))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")

    await stub.cancel_task_run(proto.CancelTaskRunRequest(pipeline_id="simple", run_id=1, id="one"))
    run = await ended(stub, started)

    assert run.status is proto.RunRunStatus.CANCELLED
    assert {name: (await get(stub, name)).status.name for name in ("one", "two", "three")} == {
        "one": "CANCELLED",
        "two": "SKIPPED",
        "three": "SUCCESSFUL",
    }
    await stub.cancel_task_run(proto.CancelTaskRunRequest(pipeline_id="simple", run_id=1, id="one"))


async def test_a_log_comes_line_by_line_counted_from_one(stub: proto.GoferStub) -> None:
    await run_with(stub, output(b"one\ntwo\r\n\nfo", b"ur\nlast"))

    assert await lines(stub, logs_request()) == [(1, "one"), (2, "two"), (3, ""), (4, "four"), (5, "last")]


async def test_a_log_is_text_for_lines_and_exact_in_raw(stub: proto.GoferStub) -> None:
    log = b"\xff\xfe\x00ok\nnext\n"
    await run_with(stub, output(log))

    assert await lines(stub, logs_request()) == [(1, "\ufffd\ufffd\x00ok"), (2, "next")]
    assert await raw(stub) == log


async def test_a_raw_log_goes_on_from_an_offset_or_begins_at_the_last_lines(stub: proto.GoferStub) -> None:
    await run_with(stub, output(b"one\ntwo\nthree\n"))

    assert await raw(stub, offset_bytes=4) == b"two\nthree\n"
    assert await raw(stub, offset_bytes=99) == b""
    assert await raw(stub, tail_lines=2) == b"two\nthree\n"
    assert await raw(stub, tail_lines=99) == b"one\ntwo\nthree\n"


async def test_lines_keep_their_numbers_wherever_the_log_is_begun(stub: proto.GoferStub) -> None:
    await run_with(stub, output(b"one\ntwo\nthree\nfour"))

    assert await lines(stub, logs_request(tail_lines=2)) == [(3, "three"), (4, "four")]
    assert await lines(stub, logs_request(tail_lines=99)) == [(1, "one"), (2, "two"), (3, "three"), (4, "four")]
    assert await lines(stub, logs_request(offset_bytes=8)) == [(3, "three"), (4, "four")]
    assert await lines(stub, logs_request(offset_bytes=9)) == [(3, "hree"), (4, "four")]
    assert await lines(stub, logs_request(offset_bytes=99)) == []


@pytest.mark.parametrize("offset", [2**31, 2**62, 2**63 - 1])
async def test_a_log_that_begins_far_behind_its_end_is_empty(stub: proto.GoferStub, offset: int) -> None:
    await run_with(stub, output(b"one\n"))

    assert await raw(stub, offset_bytes=offset) == b""
    assert await lines(stub, logs_request(offset_bytes=offset)) == []


async def test_followers_of_the_last_lines_go_on_with_the_right_numbers(app: App, stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables=HOLD | {"GOFER_MEMORY_LOG": "first"}))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")
    engine, attempt = container_of(app)
    everything = stub.get_task_run_logs(logs_request())
    engine.write(attempt, b"second\nthird\n")
    assert [(await anext(everything)).line_num for _ in range(3)] == [1, 2, 3]

    last = stub.get_task_run_logs(logs_request(tail_lines=1))
    behind = stub.get_task_run_logs(logs_request(offset_bytes=26))
    first_of_last = await anext(last)
    engine.write(attempt, b"fourth\nfifth\n")
    engine.release(attempt)

    assert (first_of_last.line_num, first_of_last.log_line) == (3, "third")
    assert [(each.line_num, each.log_line) async for each in last] == [(4, "fourth"), (5, "fifth")]
    assert [(each.line_num, each.log_line) async for each in behind] == [(5, "fifth")]
    await ended(stub, started)


async def test_a_large_log_comes_whole(app: App, stub: proto.GoferStub) -> None:
    log = b"".join(b"%08d some words to fill the line\n" % number for number in range(20_000))
    await up(stub, task("hello", variables=HOLD))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")
    engine, attempt = container_of(app)
    for at in range(0, len(log), 50_000):
        engine.write(attempt, log[at : at + 50_000])
    engine.release(attempt)
    await ended(stub, started)

    assert await raw(stub) == log
    found = await lines(stub, logs_request())
    assert [number for number, _ in found] == list(range(1, 20_001))
    assert "".join(f"{line}\n" for _, line in found).encode() == log


async def test_followers_get_what_is_there_and_what_comes_and_end_with_the_task(
    app: App, stub: proto.GoferStub
) -> None:
    await up(stub, task("hello", variables=HOLD | {"GOFER_MEMORY_LOG": "first"}))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")
    engine, attempt = container_of(app)
    followers = [stub.get_task_run_logs(logs_request()) for _ in range(3)]

    history = [(await anext(follower)).log_line for follower in followers]
    engine.write(attempt, b"second\nthi")
    engine.write(attempt, b"rd\n")
    live = [[(await anext(follower)).log_line for _ in range(2)] for follower in followers]
    before_the_end = await lines(stub, logs_request(no_follow=True))
    engine.release(attempt)
    rest = [[reply async for reply in follower] for follower in followers]

    assert history == ["first"] * 3
    assert live == [["second", "third"]] * 3
    assert before_the_end == [(1, "first"), (2, "second"), (3, "third")]
    assert rest == [[]] * 3
    assert (await ended(stub, started)).status is proto.RunRunStatus.SUCCESSFUL


async def test_a_task_run_that_never_ran_has_an_empty_log(stub: proto.GoferStub) -> None:
    await up(stub, task("bad", variables={"GOFER_MEMORY_EXIT_CODE": "1"}), task("after", "bad"))
    await ended(stub, await start(stub))

    assert (await get(stub, "after")).status.name == "SKIPPED"
    assert await lines(stub, logs_request("after")) == []


async def test_what_needs_parts_that_are_not_there_yet_fails_in_words_before_it_starts(stub: proto.GoferStub) -> None:
    await run_with(stub, {"KEY": "secret{{password}}"})

    found = await get(stub)

    assert (found.status.name, found.started, found.exit_code) == ("FAILED", 0, 999)
    assert found.status_reason is not None
    assert found.status_reason.reason is proto.TaskRunStatusReasonReason.FAILED_PRECONDITION
    assert "password" in found.status_reason.description


async def test_what_there_is_not_is_refused(stub: proto.GoferStub) -> None:
    await run_with(stub, {})

    for request, status in (
        (logs_request("nothing"), Status.NOT_FOUND),
        (logs_request(""), Status.INVALID_ARGUMENT),
        (logs_request(offset_bytes=-1), Status.INVALID_ARGUMENT),
        (logs_request(tail_lines=-1), Status.INVALID_ARGUMENT),
        (proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=7, id="hello"), Status.NOT_FOUND),
        (proto.GetTaskRunLogsRequest(pipeline_id="simple", id="hello"), Status.INVALID_ARGUMENT),
    ):
        with pytest.raises(GRPCError) as refused:
            await lines(stub, request)
        assert refused.value.status is status
    with pytest.raises(GRPCError) as refused:
        await get(stub, "nothing")
    assert refused.value.status is Status.NOT_FOUND
    assert (await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=7))).task_runs == []


async def pages(stub: proto.GoferStub) -> list[proto.ListTaskRunsResponse]:
    found: list[proto.ListTaskRunsResponse] = []
    while not found or found[-1].next_cursor:
        cursor = found[-1].next_cursor if found else ""
        request = proto.ListTaskRunsRequest(pipeline_id="simple", run_id=1, cursor=cursor)
        found.append(await stub.list_task_runs(request))
    return found


@pytest.mark.parametrize(
    ("of_task", "of_run"),
    [
        ({}, {f"K{number}": "x" * 100_000 for number in range(5)}),
        ({}, {f"{number}": "" for number in range(10_000)}),
        ({f"K{number}": "\u00e9" * 50_000 for number in range(5)}, {}),
    ],
    ids=["a large run", "a run of many small variables", "large tasks"],
)
async def test_a_page_of_large_task_runs_is_short_enough_for_a_message_that_clients_take(
    stub: proto.GoferStub, of_task: dict[str, str], of_run: dict[str, str]
) -> None:
    """Each of them shows the variables of its run, and two hundred of them were one message of 100 MB."""
    await up(stub, *(task(f"task{number:02}", variables=of_task) for number in range(12)))
    await ended(stub, await start(stub, variables=of_run))

    found = await pages(stub)

    assert len({each.id for page in found for each in page.task_runs}) == 12
    assert sum(len(page.task_runs) for page in found) == 12
    assert 1 < len(found) <= 6
    assert max(len(encode(page)) for page in found) < 4 * 1024 * 1024


# ---------------------------------------------------------------- remove a log


async def delete_logs(stub: proto.GoferStub, name: str = "hello", *, run: int = 1) -> None:
    await stub.delete_task_run_logs(proto.DeleteTaskRunLogsRequest(pipeline_id="simple", run_id=run, id=name))


async def test_a_log_is_removed_and_told_as_removed(app: App, stub: proto.GoferStub) -> None:
    await run_with(stub, output(b"words\n"))
    assert await raw(stub) == b"words\n"

    await delete_logs(stub)
    await delete_logs(stub)  # what is gone may be asked for again

    with pytest.raises(GRPCError, match="were removed") as gone:
        await raw(stub)
    assert gone.value.status is Status.FAILED_PRECONDITION
    found = await get(stub)
    assert (found.logs_removed, found.logs_expired, found.exit_code) == (True, False, 0)
    assert [] == [path for path in app.settings.task_run_logs_dir.rglob("*") if path.is_file()]


async def test_a_log_of_a_task_that_never_ran_can_be_removed(stub: proto.GoferStub) -> None:
    await up(stub, task("bad", variables={"GOFER_MEMORY_EXIT_CODE": "3"}), task("after", "bad"))
    await ended(stub, await start(stub))

    await delete_logs(stub, "after")

    assert (await get(stub, "after")).logs_removed


async def test_a_log_that_is_written_is_not_removed(app: App, stub: proto.GoferStub) -> None:
    await up(stub, task("hello", variables=HOLD | {"GOFER_MEMORY_LOG": "first"}))
    started = await start(stub)
    await happened(stub, "TASKRUN_STARTED")

    with pytest.raises(GRPCError, match="has not ended") as early:
        await delete_logs(stub)
    with pytest.raises(GRPCError) as unknown:
        await delete_logs(stub, "other")
    engine, attempt = container_of(app)
    engine.release(attempt)
    await ended(stub, started)

    assert early.value.status is Status.FAILED_PRECONDITION
    assert unknown.value.status is Status.NOT_FOUND
    assert await raw(stub) == b"first\n"
