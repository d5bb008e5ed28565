"""Terminals in running tasks, over the wire; the tasks are processes of this machine."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from grpclib.client import Stream
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from gofer.app import App
from gofer.config.settings import SchedulerSettings, Settings
from gofer.core.access import TokenKind
from gofer.services.attachments import MOST_AT_ONCE
from gofer_sdk._proto import proto
from gofer_sdk._proto.proto import AttachToTaskRunInit as Init
from gofer_sdk._proto.proto import AttachToTaskRunInput as Input
from gofer_sdk._proto.proto import AttachToTaskRunOutput as Output
from gofer_sdk._proto.proto import AttachToTaskRunRequest as Request
from tests.fakes.processes import gone
from tests.service.secured import Secured
from tests.service.wire import ended, register, start, task, up

ATTACH = "/proto.Gofer/AttachToTaskRun"


@pytest.fixture(autouse=True)
def no_task_left(tmp_path: Path) -> Iterator[None]:
    """End the tasks that a server lets go of when it stops."""
    yield
    for claim in (tmp_path / "data" / "processes").glob("*/claim"):
        with suppress(ProcessLookupError):
            os.killpg(int(claim.read_text()), signal.SIGKILL)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, scheduler=SchedulerSettings(engine="process"))


async def running(stub: proto.GoferStub, script: str = "exec sleep 1000") -> proto.Run:
    """Start a run whose task `work` runs."""
    work = task("work", variables={"WORD": "from the task"})
    work.command = ["/bin/sh", "-c", script]
    await up(stub, work)
    run = await start(stub)
    query = proto.ListEventsRequest(
        follow=True, kinds=["TASKRUN_STARTED"], namespace_id="default", pipeline_id="simple", run_id=run.id, limit=1
    )
    async for _ in stub.list_events(query):
        pass
    return run


def init(script: str = "", **fields: object) -> Request:
    words = ["sh", "-c", script] if script else []
    found = Init(pipeline_id="simple", run_id=1, id="work", command=words, raw=True)
    for name, value in fields.items():
        setattr(found, name, value)
    return Request(init=found)


def typed(data: bytes) -> Request:
    return Request(input=Input(chunk=data))


@asynccontextmanager
async def attached(stub: proto.GoferStub, first: Request) -> AsyncIterator[Stream[Request, Output]]:
    call = stub.channel.request(ATTACH, Cardinality.STREAM_STREAM, Request, Output, metadata=stub.metadata)
    stream = await call.__aenter__()
    try:
        await stream.send_message(first)
        yield stream
    finally:
        with suppress(GRPCError):  # left as one that was cut off, as grpclib would wait for its end
            await stream.__aexit__(StreamTerminatedError, StreamTerminatedError(), None)


async def until(stream: Stream[Request, Output], mark: bytes) -> bytes:
    seen = b""
    while mark not in seen:
        reply = await stream.recv_message()
        assert reply is not None, f"{mark!r} never came, but {seen!r}"
        seen += reply.chunk
    return seen


async def rest(stream: Stream[Request, Output]) -> tuple[bytes, int | None]:
    """Read to the last word, which has no chunk; an error comes after the reset of a stream that goes on."""
    seen = b""
    try:
        while (reply := await stream.recv_message()) is not None and reply.chunk:
            seen += reply.chunk
    except StreamTerminatedError:
        stream._maybe_raise()  # noqa: SLF001 (grpclib's own look at the status)
        raise
    if reply is None:
        stream._maybe_raise()  # noqa: SLF001
    return seen, None if reply is None else reply.exit_code


async def refusal(stub: proto.GoferStub, *requests: Request) -> tuple[Status, str]:
    async def ask() -> None:
        async with attached(stub, requests[0]) as stream:
            for request in requests[1:]:
                await stream.send_message(request)
            await rest(stream)

    with pytest.raises(GRPCError) as refused:
        await ask()
    return refused.value.status, refused.value.message or ""


async def test_a_terminal_shows_what_is_typed_and_printed_and_tells_the_exit_code(stub: proto.GoferStub) -> None:
    await running(stub)
    size = proto.TerminalSize(rows=31, columns=97)

    async with attached(stub, init(size=size, term="vt100")) as stream:
        await stream.send_message(typed(b'stty size; echo "$WORD $TERM"; exit 5\r'))
        seen, code = await rest(stream)

    assert b"31 97\r\nfrom the task vt100\r\n" in seen
    assert code == 5


async def test_ctrl_c_and_a_new_size_reach_the_command(stub: proto.GoferStub) -> None:
    await running(stub)
    script = "trap 'stty size' WINCH; trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"

    async with attached(stub, init(script)) as stream:
        await until(stream, b"ready")
        await stream.send_message(Request(input=Input(size=proto.TerminalSize(rows=41, columns=101))))
        await until(stream, b"41 101")
        await stream.send_message(typed(b"\x03"))

        assert (await rest(stream))[1] == 9


async def test_an_older_client_types_and_reads_text_and_its_end_ends_all(stub: proto.GoferStub) -> None:
    await running(stub)
    text = ""

    async with attached(stub, Request(init=Init(pipeline_id="simple", run_id=1, id="work"))) as stream:
        await stream.send_message(Request())  # what says nothing is passed over
        await stream.send_message(
            Request(input=Input(input="printf 'h\u00e4\\377llo %s' world; echo; echo pid $$ '.'\n"))
        )
        while " .\r\n" not in text:
            reply = await stream.recv_message()
            assert reply is not None
            assert (reply.chunk, reply.exit_code) == (b"", None)
            text += reply.output
        await stream.end()
        while (reply := await stream.recv_message()) is not None:
            text += reply.output

    assert "h\u00e4llo world\r\n" in text
    await gone(int(text.split("pid ")[-1].split()[0]))


async def test_the_end_of_the_task_ends_the_terminal(stub: proto.GoferStub) -> None:
    run = await running(stub)

    async with attached(stub, init("trap '' HUP; echo pid $$ .; while :; do sleep 0.1; done")) as stream:
        pid = (await until(stream, b" .\r\n")).split()[1]
        await stub.cancel_task_run(proto.CancelTaskRunRequest(pipeline_id="simple", run_id=1, id="work"))
        _, code = await rest(stream)

    assert code is None
    await gone(int(pid))
    await ended(stub, run)


async def test_a_client_that_goes_leaves_nothing(stub: proto.GoferStub) -> None:
    await running(stub)

    async with attached(stub, init("trap '' HUP; echo pid $$ .; while :; do sleep 0.1; done")) as stream:
        pid = (await until(stream, b" .\r\n")).split()[1]

    await gone(int(pid))


async def test_a_server_that_stops_ends_terminals(app: App, stub: proto.GoferStub) -> None:
    await running(stub)

    async with attached(stub, init("echo pid $$ .; exec sleep 1000")) as stream:
        pid = (await until(stream, b" .\r\n")).split()[1]
        app.server.stop()
        with pytest.raises((GRPCError, StreamTerminatedError)):
            await rest(stream)

    await gone(int(pid))


async def test_no_more_terminals_than_a_server_has_room_for_are_open_at_once(stub: proto.GoferStub) -> None:
    await running(stub)

    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(attached(stub, init("echo ready; exec cat"))) for _ in range(64)]
        for stream in streams:
            await until(stream, b"ready")
        told = await refusal(stub, init())
        await streams[0].send_message(typed(b"\x04"))
        _, code = await rest(streams[0])
        assert await streams[0].recv_message() is None
        async with attached(stub, init("echo again; exec cat")) as freed:
            await until(freed, b"again")

    assert (MOST_AT_ONCE, code) == (64, 0)
    assert told == (
        Status.RESOURCE_EXHAUSTED,
        "64 terminals are open, and no more may be: end one of them",
    )


@pytest.mark.parametrize("expires", [False, True])
async def test_a_terminal_ends_with_the_token_that_opened_it(guarded: Secured, *, expires: bool) -> None:
    await running(guarded.admin)
    text, token = await guarded.make("default")
    if expires:
        text = "e" * 64
        await guarded.store(text, kind=TokenKind.MANAGEMENT, life=timedelta(seconds=5))  # it begins meanwhile

    script = "trap '' HUP TERM; echo pid $$ .; while :; do sleep 0.1; done"
    async with attached(guarded.stub(text), init(script)) as stream:
        pid = (await until(stream, b" .\r\n")).split()[1]
        if not expires:
            await guarded.admin.delete_token(proto.DeleteTokenRequest(id=token))
        with pytest.raises(GRPCError) as ended_by:
            await rest(stream)

    assert ended_by.value.status is Status.UNAUTHENTICATED
    await gone(int(pid))
    run = await guarded.admin.get_run(proto.GetRunRequest(pipeline_id="simple", id=1))
    assert run.run is not None
    assert run.run.state is proto.RunRunState.RUNNING, "the task goes on"


@pytest.mark.parametrize(
    ("first", "status", "text"),
    [
        (typed(b"ls\r"), Status.INVALID_ARGUMENT, "the first message must be `init`"),
        (init(id=""), Status.INVALID_ARGUMENT, "id is missing"),
        (init(pipeline_id=""), Status.INVALID_ARGUMENT, "pipeline_id is missing"),
        (init(run_id=0), Status.INVALID_ARGUMENT, "run_id is missing"),
        (init(run_id=2), Status.NOT_FOUND, "run default/simple/2 has no task run 'work'"),
        (init(id="other"), Status.NOT_FOUND, "has no task run 'other'"),
        (init(size=proto.TerminalSize(rows=0, columns=80)), Status.INVALID_ARGUMENT, "a window of 0 rows"),
        (init(size=proto.TerminalSize(rows=10, columns=10_001)), Status.INVALID_ARGUMENT, "can't be: use 1 to 10,000"),
        (init(term="x\n"), Status.INVALID_ARGUMENT, "term is no name of a terminal"),
        (init(command=["a\0b"]), Status.INVALID_ARGUMENT, "part 1 of the command"),
        (init(command=[""]), Status.INVALID_ARGUMENT, "the command is empty"),
        (init(command=["x"] * 1001), Status.INVALID_ARGUMENT, "1,001 parts and at most 1,000"),
    ],
)
async def test_what_cant_be_is_refused_in_words(
    stub: proto.GoferStub, first: Request, status: Status, text: str
) -> None:
    await running(stub)

    told = await refusal(stub, first)

    assert told[0] is status
    assert text in told[1]


async def test_a_wrong_size_later_ends_it_in_words(stub: proto.GoferStub) -> None:
    await running(stub)

    told = await refusal(stub, init(), Request(input=Input(size=proto.TerminalSize(rows=-1, columns=1))))

    assert told[0] is Status.INVALID_ARGUMENT
    assert "a window of -1 rows" in told[1]


async def test_nothing_is_attached_to_what_has_ended(stub: proto.GoferStub) -> None:
    await ended(stub, await running(stub, "exit 0"))

    told = await refusal(stub, init())

    assert told[0] is Status.FAILED_PRECONDITION
    assert "does not run, it is SUCCEEDED: attach to it while it runs" in told[1]


class TestMemory:
    """An engine without terminals."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, scheduler=SchedulerSettings(engine="memory"))

    async def test_an_engine_without_terminals_says_so(self, stub: proto.GoferStub) -> None:
        await register(stub, task("work", variables={"GOFER_MEMORY_HOLD": "true"}))
        await stub.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))
        run = await start(stub)
        query = proto.ListEventsRequest(
            follow=True, kinds=["TASKRUN_STARTED"], namespace_id="default", pipeline_id="simple", run_id=run.id, limit=1
        )
        async for _ in stub.list_events(query):
            pass

        told = await refusal(stub, init())

        assert told == (
            Status.FAILED_PRECONDITION,
            "nothing can be attached to tasks on the engine 'memory': it has no terminals",
        )
