import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Never

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.exceptions import StreamClosedError

from gofer.api.caller import Call, current_caller
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
)
from gofer_sdk.codec import encode
from tests.fakes.api import MAX_MESSAGE_BYTES, TRUSTING, Served, served
from tests.fakes.handlers import Scripted
from tests.service.calls import GET, LOGS, Endless, answers_to, echo, framed, reply, sent, text_of


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
        return Caller(name=f"{call.authorization[0]} for {call.path}", is_admin=True)

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


async def test_a_request_that_comes_after_its_token_has_expired_is_refused(tmp_path: Path) -> None:
    async def identify(call: Call) -> Caller:
        return Caller(name=call.path, is_admin=True, expires_at=datetime.now(UTC))  # of a request that takes long

    async with served(tmp_path, Scripted(get=echo), identify=identify) as it:
        with pytest.raises(GRPCError) as caught:
            await it.stub.get_pipeline(GetPipelineRequest())

    assert (Status.UNAUTHENTICATED, "your token has expired meanwhile") == (caught.value.status, caught.value.message)


@pytest.mark.parametrize(
    ("peer", "accepted_on", "trusted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("127.0.0.1", "172.17.0.1", False),
        ("172.17.0.1", "127.0.0.1", False),
        ("fe80::1%eth0", "fe80::1%eth0", False),
        ("10.0.0.1", "10.0.0.2", False),
        (None, None, False),
    ],
)
async def test_dev_mode_trusts_the_loopback_interface_alone(
    peer: str | None, accepted_on: str | None, *, trusted: bool
) -> None:
    call = Call(path=GET, request_id="x", peer=peer, accepted_on=accepted_on)

    if trusted:
        assert (await TRUSTING(call)).is_admin
    else:
        with pytest.raises(Unauthenticated):
            await TRUSTING(call)


# ---------------------------------------------------------------- what may be wrong with a request


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


async def test_many_small_replies_come_whole_and_in_order_also_where_the_client_has_to_be_waited_for(
    tmp_path: Path,
) -> None:
    async def block(message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        encoder = LineEncoder()
        for _ in range(message.run_id):  # three times what HTTP/2's first window takes
            yield encoded_replies(GetTaskRunLogsResponse, encoder.encode(b"a line of some length\n" * 2))

    async with served(tmp_path, Scripted(logs=block)) as it:
        lines = [each async for each in it.stub.get_task_run_logs(GetTaskRunLogsRequest(run_id=3000))]

    assert [each.line_num for each in lines] == list(range(1, 6_001))


# ---------------------------------------------------------------- clients that leave


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


@pytest.mark.timeout(90)
async def test_a_deadline_ends_the_call_and_its_handler(tmp_path: Path) -> None:
    endless = Endless()
    stream = BytesIO()

    async def read(stub: GoferStub, seconds: float) -> None:
        async for _ in stub.get_task_run_logs(GetTaskRunLogsRequest(), timeout=seconds):
            pass

    async def read_until_late(stub: GoferStub) -> None:
        for seconds in (0.5, 5, 25):
            with pytest.raises((GRPCError, TimeoutError)):
                await read(stub, seconds)
            if endless.tasks:  # else a machine was too busy to begin in that time, and gets more
                return

    with set_up_logging(Settings(), stream=stream):
        async with served(tmp_path, Scripted(logs=endless.logs)) as it:
            await read_until_late(it.stub)
            await endless.closed.wait()

    lines = [json.loads(each) for each in stream.getvalue().splitlines() if b'"call"' in each]
    assert lines[-1]["status"] in {"DEADLINE_EXCEEDED", "CANCELLED"}


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


async def test_frames_of_a_kind_that_nobody_knows_are_passed_over(echoing: Served) -> None:
    await echoing.stub.get_pipeline(GetPipelineRequest())
    protocol = await echoing.channel.__connect__()

    protocol.connection._transport.write(b"\0\0\4\xef\0\0\0\0\0abcd")  # noqa: SLF001 - h2 can't make one

    assert text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id="next"))) == "next"
    assert protocol is await echoing.channel.__connect__()


@pytest.mark.parametrize("moment", ["0n", "1n", "0S", "999u"])
async def test_a_deadline_that_has_passed_already_is_no_fault_of_the_server(tmp_path: Path, moment: str) -> None:
    async def wait(message: GetPipelineRequest) -> Never:
        await asyncio.Event().wait()
        raise AssertionError

    async with served(tmp_path, Scripted(get=wait)) as it:
        (answer,) = await answers_to(it, [(":method", "POST"), (":path", GET), ("grpc-timeout", moment)])

    assert answer[b"grpc-status"] == str(Status.DEADLINE_EXCEEDED.value).encode()


async def test_odd_bytes_in_metadata_are_no_end_of_the_connection(echoing: Served) -> None:
    call = [(":method", "POST"), (":path", GET)]

    answers = await answers_to(echoing, [*call, ("x-odd", "ü")], [*call, ("x-odd", "\U0001f600")], call)

    assert [answer[b"grpc-status"] for answer in answers] == [b"0"] * 3


@pytest.mark.parametrize("value", ["a", "ab=", "ü", "\0"])
async def test_malformed_bytes_in_metadata_are_no_fault_of_the_call(echoing: Served, value: str) -> None:
    """Such a call was never answered."""
    (answer,) = await answers_to(echoing, [(":method", "POST"), (":path", GET), ("x-odd-bin", value)])

    assert answer[b"grpc-status"] == b"0"


@pytest.mark.parametrize("digits", [19, 400, 5000])
async def test_a_deadline_that_nobody_lives_to_see_is_none(echoing: Served, digits: int) -> None:
    """Such a call was never answered, or ended its connection."""
    call = [(":method", "POST"), (":path", GET)]

    answers = await answers_to(echoing, [*call, ("grpc-timeout", "9" * digits + "H")], call)

    assert [answer[b"grpc-status"] for answer in answers] == [b"0", b"0"]


async def test_a_call_without_a_path_or_method_is_answered(echoing: Served) -> None:
    methodless, pathless = await answers_to(echoing, [(":path", GET)], [(":method", "POST")])

    assert methodless[b":status"] == b"405"
    assert pathless[b"grpc-status"] == str(Status.UNIMPLEMENTED.value).encode()
    assert pathless[b"content-type"].startswith(b"application/grpc")


async def test_a_path_that_nothing_is_at_is_unimplemented_and_told(echoing: Served) -> None:
    """It was UNKNOWN to clients built on grpclib, which take no answer without a content type."""
    path = "/proto.Gofer/NoSuchCall"

    async def call() -> None:
        made = echoing.channel.request(path, Cardinality.UNARY_UNARY, GetPipelineRequest, GetPipelineResponse)
        async with made as stream:
            await stream.send_message(GetPipelineRequest(), end=True)
            await stream.recv_message()

    with pytest.raises(GRPCError) as caught:
        await call()

    assert caught.value.status is Status.UNIMPLEMENTED
    assert f"this server has no call {path!r}" in (caught.value.message or "")
    assert text_of(await echoing.stub.get_pipeline(GetPipelineRequest(id="still there"))) == "still there"
