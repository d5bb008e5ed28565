import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Never

import pytest
from grpclib.client import Stream
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes

from gofer.api.caller import Call, current_caller, trust_this_machine
from gofer.api.exchange import encoded_replies, encoded_reply
from gofer.api.log_stream import LineEncoder
from gofer.config.settings import Settings
from gofer.core.access import Caller
from gofer.core.errors import InternalError, InvalidInput, NotFound, PipelineDisabled, Unauthenticated
from gofer.logging import set_up_logging
from gofer_sdk._proto.proto import (
    AttachToTaskRunInput,
    AttachToTaskRunRequest,
    GetPipelineRequest,
    GetPipelineResponse,
    GetTaskRunLogsRequest,
    GetTaskRunLogsResponse,
    GoferStub,
    ListTokensRequest,
    Pipeline,
    PipelineMetadata,
)
from gofer_sdk.client import GoferClient
from gofer_sdk.codec import encode
from tests.fakes.api import MAX_MESSAGE_BYTES, Served, served
from tests.fakes.handlers import Scripted

GET = "/proto.Gofer/GetPipeline"
LOGS = "/proto.Gofer/GetTaskRunLogs"
HEADERS = ((":authority", "localhost"), ("te", "trailers"), ("content-type", "application/grpc"))


def reply(text: str = "") -> GetPipelineResponse:
    return GetPipelineResponse(pipeline=Pipeline(metadata=PipelineMetadata(id=text)))


async def echo(message: GetPipelineRequest) -> GetPipelineResponse:
    return reply(message.id)


def text_of(answer: GetPipelineResponse) -> str:
    assert answer.pipeline is not None
    assert answer.pipeline.metadata is not None
    return answer.pipeline.metadata.id


async def count(message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
    for number in range(1, message.run_id + 1):
        yield GetTaskRunLogsResponse(log_line="x", line_num=number)


@pytest.fixture
async def echoing(tmp_path: Path) -> AsyncGenerator[Served, None]:
    async with served(tmp_path, Scripted(get=echo, logs=count)) as it:
        yield it


async def test_calls_of_every_kind_are_answered_over_tls(echoing: Served) -> None:
    async def typed() -> AsyncGenerator[AttachToTaskRunRequest, None]:
        for text in ("ls", "exit"):
            yield AttachToTaskRunRequest(input=AttachToTaskRunInput(input=text))

    assert text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id="hello"))) == "hello"
    lines = [each async for each in echoing.stub.get_task_run_logs(GetTaskRunLogsRequest(run_id=3))]
    assert [each.line_num for each in lines] == [1, 2, 3]
    assert [each.output async for each in echoing.stub.attach_to_task_run(typed())] == ["LS", "EXIT"]


async def test_large_messages_pass_whole_in_both_directions(echoing: Served) -> None:
    text = "x" * (MAX_MESSAGE_BYTES - 100)

    assert text == text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id=text)))


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (NotFound("there is no pipeline x"), Status.NOT_FOUND, "there is no pipeline x"),
        (InvalidInput("two faults", faults=("the 1st", "the 2nd")), Status.INVALID_ARGUMENT, "the 1st; the 2nd"),
        (PipelineDisabled("x is disabled"), Status.FAILED_PRECONDITION, "x is disabled"),
        (GRPCError(Status.ABORTED, "as it is"), Status.ABORTED, "as it is"),
        (StreamTerminatedError("reset"), Status.CANCELLED, "the client has gone"),
        (StreamClosedError(1), Status.CANCELLED, "the client has gone"),
    ],
)
async def test_errors_reach_the_client_by_the_table(
    tmp_path: Path, error: Exception, status: Status, text: str
) -> None:
    async def fail(message: GetPipelineRequest) -> Never:
        raise error

    async with served(tmp_path, Scripted(get=fail)) as it:
        with pytest.raises(GRPCError) as caught:
            await it.stub.get_pipeline(GetPipelineRequest())

    assert caught.value.status is status
    assert text in (caught.value.message or "")


@pytest.mark.parametrize("error", [ZeroDivisionError("secret place"), InternalError("secret place"), TimeoutError()])
async def test_a_fault_of_ours_is_told_by_its_request_id_only_and_logged_once(tmp_path: Path, error: Exception) -> None:
    async def fail(message: GetPipelineRequest) -> Never:
        raise error

    stream = BytesIO()
    with set_up_logging(Settings(), stream=stream):
        async with served(tmp_path, Scripted(get=fail)) as it:
            with pytest.raises(GRPCError) as caught:
                await it.stub.get_pipeline(GetPipelineRequest())

    (line,) = [json.loads(each) for each in stream.getvalue().splitlines() if b'"call"' in each]
    assert caught.value.status is Status.INTERNAL
    assert line["request"] in (caught.value.message or "")
    assert "secret" not in (caught.value.message or "")
    assert type(error).__name__ in line["exception"]
    assert line["level"] == "error"


async def test_each_call_is_one_log_line_with_who_and_how(tmp_path: Path) -> None:
    stream = BytesIO()
    with set_up_logging(Settings(), stream=stream):
        async with served(tmp_path, Scripted(get=echo, logs=count)) as it:
            await it.stub.get_pipeline(GetPipelineRequest(), metadata={"x-request-id": "my-id.1"})
            async for _ in it.stub.get_task_run_logs(
                GetTaskRunLogsRequest(run_id=5), metadata={"x-request-id": 'forged" id'}
            ):
                pass

    first, second = [json.loads(each) for each in stream.getvalue().splitlines() if b'"call"' in each]
    assert (first["rpc"], first["status"], first["caller"], first["request"]) == (GET, "OK", "dev mode", "my-id.1")
    assert first["milliseconds"] >= 0
    assert first["peer"] in {"127.0.0.1", "::1"}
    assert second["rpc"] == LOGS
    assert second["request"].isalnum()


async def test_the_caller_is_known_to_the_handler(tmp_path: Path) -> None:
    async def identify(call: Call) -> Caller:
        return Caller(name=f"{call.authorization} for {call.path}", is_admin=False)

    async def who(message: GetPipelineRequest) -> GetPipelineResponse:
        await asyncio.sleep(0)
        return reply(current_caller().name)

    async with served(tmp_path, Scripted(get=who), identify=identify) as it:
        answers = await asyncio.gather(
            *(it.stub.get_pipeline(GetPipelineRequest(), metadata={"authorization": f"Bearer {n}"}) for n in range(5))
        )

    assert [text_of(answer) for answer in answers] == [f"Bearer {number} for {GET}" for number in range(5)]


async def test_who_is_not_let_in_reaches_no_handler(tmp_path: Path) -> None:
    async def refuse(call: Call) -> Never:
        raise Unauthenticated("no token")

    async with served(tmp_path, Scripted(), identify=refuse) as it:
        with pytest.raises(GRPCError) as caught:
            await it.stub.get_pipeline(GetPipelineRequest())

    assert caught.value.status is Status.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("127.0.0.1", True), ("::1", True), ("fe80::1%eth0", False), ("10.0.0.1", False), (None, True)],
)
async def test_dev_mode_trusts_this_machine_alone(peer: str | None, *, trusted: bool) -> None:
    call = Call(path=GET, request_id="x", peer=peer)

    if trusted:
        assert (await trust_this_machine(call)).is_admin
    else:
        with pytest.raises(Unauthenticated, match="this machine only"):
            await trust_this_machine(call)


# ---------------------------------------------------------------- what may be wrong with a request


async def sent(it: Served, data: bytes, *, end: bool = True) -> GRPCError:
    """Send bytes as the body of a call and give the error that answers them."""

    async def send() -> None:
        async with it.channel.request(GET, Cardinality.UNARY_UNARY, GetPipelineRequest, GetPipelineResponse) as stream:
            await stream.send_request()
            await _send_bytes(stream, data, end=end)
            await stream.recv_message()

    with pytest.raises(GRPCError) as caught:
        await send()
    return caught.value


async def _send_bytes(stream: Stream[GetPipelineRequest, GetPipelineResponse], data: bytes, *, end: bool) -> None:
    await stream._stream.send_data(data, end_stream=end)  # noqa: SLF001 - what no well-behaved client sends
    stream._end_done = end  # noqa: SLF001


def framed(data: bytes, *, size: int | None = None, compressed: int = 0) -> bytes:
    return bytes((compressed,)) + (len(data) if size is None else size).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (b"", Status.INVALID_ARGUMENT, "needs a request"),
        (b"\0\0", Status.INVALID_ARGUMENT, "ends in the middle"),
        (framed(b"abc", size=10), Status.INVALID_ARGUMENT, "ends in the middle"),
        (framed(b"", size=10), Status.INVALID_ARGUMENT, "ends in the middle"),
        (framed(b"\x0a\x05ab"), Status.INVALID_ARGUMENT, "cut short"),
        (framed(b"\x12\x01\xff"), Status.INVALID_ARGUMENT, "UTF-8"),
        (framed(b"", compressed=1), Status.UNIMPLEMENTED, "compressed"),
    ],
)
async def test_a_malformed_request_is_the_clients_fault(
    echoing: Served, data: bytes, status: Status, text: str
) -> None:
    error = await sent(echoing, data)

    assert error.status is status
    assert text in (error.message or "")


async def test_a_request_that_is_too_large_is_refused_before_its_body_comes(echoing: Served) -> None:
    error = await sent(echoing, framed(b"only the beginning", size=MAX_MESSAGE_BYTES + 1), end=False)

    assert error.status is Status.RESOURCE_EXHAUSTED
    assert str(MAX_MESSAGE_BYTES) in (error.message or "")
    assert text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id="still there"))) == "still there"


async def test_an_unknown_call_is_unimplemented(echoing: Served) -> None:
    with pytest.raises(GRPCError) as caught:
        await echoing.stub.list_tokens(ListTokensRequest())

    assert caught.value.status is Status.UNIMPLEMENTED


# ---------------------------------------------------------------- encoded replies


async def test_a_handler_may_give_bytes_in_place_of_messages(tmp_path: Path) -> None:
    async def encoded(message: GetPipelineRequest) -> GetPipelineResponse:
        return encoded_reply(GetPipelineResponse, encode(reply("kept")))

    async def block(message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        encoder = LineEncoder()
        for _ in range(message.run_id):
            yield encoded_replies(GetTaskRunLogsResponse, encoder.encode(b"a line of some length\n" * 3000))

    async with served(tmp_path, Scripted(get=encoded, logs=block)) as it:
        answer = await it.stub.get_pipeline(GetPipelineRequest())
        lines = [each async for each in it.stub.get_task_run_logs(GetTaskRunLogsRequest(run_id=20))]

    assert text_of(answer) == "kept"
    assert [each.line_num for each in lines] == list(range(1, 60_001))
    assert {each.log_line for each in lines} == {"a line of some length"}


# ---------------------------------------------------------------- clients that leave


@dataclass(slots=True)
class Endless:
    """A stream of replies that says when it has begun and when, and in which task, it was closed."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[object] | None] = field(default_factory=list)

    async def logs(self, message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        self.tasks.append(asyncio.current_task())
        try:
            while True:
                yield GetTaskRunLogsResponse(log_line="x" * 1000)
                self.begun.set()
        finally:
            self.tasks.append(asyncio.current_task())
            self.closed.set()


async def test_a_client_that_stops_reading_and_leaves_ends_its_handler_in_the_handlers_own_task(tmp_path: Path) -> None:
    endless = Endless()

    async with served(tmp_path, Scripted(get=echo, logs=endless.logs)) as it:
        async with it.channel.request(
            LOGS, Cardinality.UNARY_STREAM, GetTaskRunLogsRequest, GetTaskRunLogsResponse
        ) as stream:
            await stream.send_message(GetTaskRunLogsRequest(), end=True)
            await endless.begun.wait()
            await stream.cancel()
        await endless.closed.wait()
        assert text_of(await it.stub.get_pipeline(GetPipelineRequest(id="next"))) == "next"

    assert len(set(endless.tasks)) == 1


async def test_a_deadline_ends_the_call_and_its_handler(tmp_path: Path) -> None:
    endless = Endless()
    stream = BytesIO()

    async def read(stub: GoferStub) -> None:
        async for _ in stub.get_task_run_logs(GetTaskRunLogsRequest(), timeout=0.2):
            pass

    with set_up_logging(Settings(), stream=stream):
        async with served(tmp_path, Scripted(logs=endless.logs)) as it:
            with pytest.raises((GRPCError, TimeoutError)):
                await read(it.stub)
            await endless.closed.wait()

    (line,) = [json.loads(each) for each in stream.getvalue().splitlines() if b'"call"' in each]
    assert line["status"] in {"DEADLINE_EXCEEDED", "CANCELLED"}


async def test_a_connection_that_breaks_ends_its_calls(tmp_path: Path) -> None:
    endless = Endless()

    async with served(tmp_path, Scripted(logs=endless.logs)) as it:

        async def read() -> None:
            with pytest.raises(StreamTerminatedError):
                async for _ in it.stub.get_task_run_logs(GetTaskRunLogsRequest()):
                    pass

        async with asyncio.TaskGroup() as group:
            group.create_task(read(), name="reader")
            await endless.begun.wait()
            it.channel.close()
            await endless.closed.wait()


# ---------------------------------------------------------------- clients that make the server wait

SHORT = timedelta(seconds=0.3)


async def test_a_client_that_reads_no_more_replies_is_let_go_and_others_are_not(tmp_path: Path) -> None:
    """What it holds (a place in a log, a subscription of the bus) would be held for ever."""
    endless = Endless()
    log = BytesIO()

    with set_up_logging(Settings(), stream=log):
        async with served(tmp_path, Scripted(get=echo, logs=endless.logs), patience=SHORT) as it:
            async with it.channel.request(
                LOGS, Cardinality.UNARY_STREAM, GetTaskRunLogsRequest, GetTaskRunLogsResponse
            ) as stream:
                await stream.send_message(GetTaskRunLogsRequest(), end=True)
                await endless.closed.wait()
                await stream.cancel()
            assert text_of(await it.stub.get_pipeline(GetPipelineRequest(id="next"))) == "next"

    (line,) = [json.loads(each) for each in log.getvalue().splitlines() if LOGS.encode() in each]
    assert line["status"] == "UNAVAILABLE"
    assert "go on where it stopped" in line["error"]


async def test_our_client_that_pauses_for_long_gets_the_whole_log_nevertheless(tmp_path: Path) -> None:
    """The stream ends in the middle of a message then, which grpclib tells by an AssertionError."""
    log = bytes(range(256)) * 40_000
    ended = asyncio.Event()

    async def give(message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        try:
            for at in range(message.offset_bytes, len(log), 50_001):
                yield GetTaskRunLogsResponse(chunk=log[at : at + 50_001], offset_bytes=at)
        finally:
            ended.set()

    async with (
        served(tmp_path, Scripted(logs=give), patience=SHORT) as it,
        GoferClient(f"localhost:{it.server.port}") as client,
    ):
        chunks = client.task_runs.logs("simple", 1, "hello")
        got = (await anext(chunks)).data
        await ended.wait()
        got += b"".join([chunk.data async for chunk in chunks])

    assert got == log


async def test_a_client_that_reads_its_connection_no_more_loses_it(tmp_path: Path) -> None:
    """Its windows are wide, but nothing leaves the socket: a status could not be sent either."""
    endless = Endless()

    async with served(tmp_path, Scripted(logs=endless.logs), patience=SHORT) as it:
        context = ssl.create_default_context(cafile=str(it.certificate))
        context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection("localhost", it.server.port, ssl=context)
        connection = H2Connection()
        connection.initiate_connection()
        connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        connection.increment_flow_control_window(2**30)
        connection.send_headers(1, [(":method", "POST"), (":scheme", "https"), (":path", LOGS), *HEADERS])
        connection.send_data(1, framed(b""), end_stream=True)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # an asyncio.Transport
        writer.write(connection.data_to_send())
        await endless.closed.wait()
        writer.close()
        del reader


async def test_a_slow_reader_that_goes_on_reading_is_kept(tmp_path: Path) -> None:
    text = "x" * 600_000  # some ten pieces, through a window of one

    async def large(message: GetPipelineRequest) -> GetPipelineResponse:
        return reply(text)

    async with served(tmp_path, Scripted(get=large), patience=SHORT) as it:
        context = ssl.create_default_context(cafile=str(it.certificate))
        context.set_alpn_protocols(["h2"])
        _, writer = opened = await asyncio.open_connection("localhost", it.server.port, ssl=context)
        connection = H2Connection()
        connection.initiate_connection()
        connection.send_headers(1, [(":method", "POST"), (":scheme", "https"), (":path", GET), *HEADERS])
        connection.send_data(1, framed(b""), end_stream=True)
        received = await _read_slowly(connection, opened, pause=timedelta(seconds=0.1))
        writer.close()

    assert received > len(text)


async def _read_slowly(
    connection: H2Connection, opened: tuple[asyncio.StreamReader, asyncio.StreamWriter], *, pause: timedelta
) -> int:
    """Give how many bytes a call got whose client takes a piece after each pause."""
    reader, writer = opened
    received = 0
    while True:
        writer.write(connection.data_to_send())
        for event in connection.receive_data(await reader.read(70_000)):
            if isinstance(event, StreamEnded):
                return received
            if isinstance(event, DataReceived):
                received += len(event.data)
                connection.acknowledge_received_data(event.flow_controlled_length, 1)
        await asyncio.sleep(pause.total_seconds())


@pytest.mark.parametrize("data", [b"\0", framed(b"only the beginning", size=1000)])
async def test_a_client_that_never_sends_its_request_is_let_go(tmp_path: Path, data: bytes) -> None:
    async with served(tmp_path, Scripted(get=echo), patience=SHORT) as it:
        error = await sent(it, data, end=False)

    assert error.status is Status.UNAVAILABLE


async def test_a_method_may_take_longer_than_a_client_may(tmp_path: Path) -> None:
    async def slow(message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        for number in (1, 2):
            await asyncio.sleep(2 * SHORT.total_seconds())
            yield GetTaskRunLogsResponse(line_num=number)

    async with served(tmp_path, Scripted(logs=slow), patience=SHORT) as it:
        lines = [each.line_num async for each in it.stub.get_task_run_logs(GetTaskRunLogsRequest())]

    assert lines == [1, 2]


async def test_frames_of_a_kind_that_nobody_knows_are_passed_over(echoing: Served) -> None:
    await echoing.stub.get_pipeline(GetPipelineRequest())
    protocol = await echoing.channel.__connect__()

    protocol.connection._transport.write(b"\0\0\4\xef\0\0\0\0\0abcd")  # noqa: SLF001 - h2 can't make one

    assert text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id="next"))) == "next"
    assert protocol is await echoing.channel.__connect__()
