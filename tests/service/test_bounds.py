"""What one client, or very many, may ask of the server's memory."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from grpclib.protocol import Stream

from gofer.api.encoded import element
from gofer.api.exchange import MOST_PARTS, OPEN_BYTES, TYPED_BYTES
from gofer.api.gateway import LARGEST_AT_ONCE
from gofer.api.grpclib_inside import MOST_CLOSED_STREAMS, PIECE_BYTES, TrackingServer
from gofer.api.handlers.health import CHECK, HealthCheckRequest, HealthCheckResponse
from gofer.api.listen import Listener, listen
from gofer.api.room import SMALL_BYTES
from gofer.tls import make_certificate
from gofer_sdk._proto.proto import (
    AttachToTaskRunInput,
    AttachToTaskRunOutput,
    AttachToTaskRunRequest,
    GetPipelineRequest,
    GetPipelineResponse,
    GetTaskRunLogsRequest,
    GoferStub,
    RegisterPipelineConfigRequest,
    RegisterPipelineConfigResponse,
    UserPipelineConfig,
)
from gofer_sdk.codec import Raw, WireCodec, encode
from tests.fakes.api import FREE_PORT, MAX_MESSAGE_BYTES, Served, channel_to, make_gateway, served
from tests.fakes.handlers import Scripted
from tests.service.calls import GET, answers_to, echo, framed, text_of

SMALLEST_WINDOWS = Configuration(http2_connection_window_size=2**16 - 1, http2_stream_window_size=2**16 - 1)
LARGE = "x" * (MAX_MESSAGE_BYTES - 100)


async def test_large_requests_wait_for_their_turn_and_small_ones_do_not(tmp_path: Path) -> None:
    """Nothing bounded what all calls together made the server hold.

    The small one comes from another client: on one connection, what is not read yet holds up what comes after it.
    """
    reached = asyncio.Semaphore(0)
    release = asyncio.Event()
    held = 0

    async def hold(message: GetPipelineRequest) -> GetPipelineResponse:
        nonlocal held
        if message.id == LARGE:
            held += 1
            reached.release()
            await release.wait()
        return GetPipelineResponse()

    async with (
        served(tmp_path, Scripted(get=hold)) as api,
        channel_to(api.server, api.certificate) as other,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(LARGEST_AT_ONCE + 1):
            group.create_task(api.stub.get_pipeline(GetPipelineRequest(id=LARGE)))
        for _ in range(LARGEST_AT_ONCE):
            await reached.acquire()
        await GoferStub(other).get_pipeline(GetPipelineRequest(id="small"))
        held_at_once = held
        release.set()
        await reached.acquire()

    assert held_at_once == LARGEST_AT_ONCE


@pytest.mark.timeout(90)
async def test_who_sends_a_large_request_slowly_is_let_go_once_others_wait(tmp_path: Path) -> None:
    """A client that sent a little now and then kept the room of whole requests."""
    # On a machine that is too busy to send a little in time, nobody gets as far as that: all get more time.
    faults: list[str] = []
    for seconds in (1, 5, 25):
        answer, fault = await _answer_beside_slow_ones(tmp_path, timedelta(seconds=seconds))
        faults.append(fault)
        assert text_of(answer) == LARGE
        if "comes too slowly" in fault:
            return
    raise AssertionError(f"they were told {faults}")


async def _answer_beside_slow_ones(folder: Path, patience: timedelta) -> tuple[GetPipelineResponse, str]:
    """Give the answer to a large request while others send theirs slowly, and what those are told."""

    async def trickle(api: Served) -> None:
        begun = asyncio.Event()
        async with api.channel.request(GET, Cardinality.UNARY_UNARY, GetPipelineRequest, GetPipelineResponse) as stream:
            await stream.send_request()
            sending = asyncio.create_task(_send_slowly(stream._stream, begun, patience / 10), name="slow")  # noqa: SLF001
            await begun.wait()
            holding.release()
            try:
                await stream.recv_message()
                stream._end_done = True  # noqa: SLF001 - all was sent
            finally:
                sending.cancel()
                await asyncio.wait({sending})

    async def fault_of(api: Served) -> str:
        try:
            await trickle(api)
        except GRPCError as error:
            return error.message or ""
        return ""

    holding = asyncio.Semaphore(0)
    async with (
        served(folder, Scripted(get=echo), patience=patience) as api,
        channel_to(api.server, api.certificate) as other,
        asyncio.TaskGroup() as group,
    ):
        slow = [group.create_task(fault_of(api)) for _ in range(LARGEST_AT_ONCE)]
        for _ in slow:
            await holding.acquire()
        await api.stub.get_pipeline(GetPipelineRequest(id="after them"))
        answer = await GoferStub(other).get_pipeline(GetPipelineRequest(id=LARGE))
        faults = [await each for each in slow]
    return answer, " ".join(faults)


async def _send_slowly(stream: Stream, begun: asyncio.Event, pause: timedelta) -> None:
    data = framed(encode(GetPipelineRequest(id=LARGE)))
    for at in range(0, len(data), PIECE_BYTES):
        await stream.send_data(data[at : at + PIECE_BYTES], end_stream=at + PIECE_BYTES >= len(data))
        begun.set()
        await asyncio.sleep(pause.total_seconds())


async def test_who_needs_no_token_sends_nothing_large(tmp_path: Path) -> None:
    """Two of these could keep all others' large requests out, whoever they were."""

    async def told(size: int) -> Status:
        call = api.channel.request(CHECK, Cardinality.UNARY_UNARY, HealthCheckRequest, HealthCheckResponse)
        try:
            async with call as stream:
                await stream.send_message(HealthCheckRequest(service="x" * size), end=True)
                await stream.recv_message()
        except GRPCError as error:
            return error.status
        return Status.OK

    async with served(tmp_path, Scripted()) as api:
        assert await told(OPEN_BYTES - 100) is Status.NOT_FOUND
        assert await told(OPEN_BYTES) is Status.RESOURCE_EXHAUSTED


async def test_who_types_much_that_nobody_takes_keeps_no_room_of_others(tmp_path: Path) -> None:
    """Two terminals that took nothing kept all large requests out for as long as they were open."""
    reached = asyncio.Semaphore(0)
    release = asyncio.Event()
    typed = AttachToTaskRunRequest(input=AttachToTaskRunInput(chunk=b"x" * (TYPED_BYTES - 100)))

    async def hold(
        messages: AsyncIterator[AttachToTaskRunRequest],
    ) -> AsyncGenerator[AttachToTaskRunOutput, None]:
        await anext(messages)
        reached.release()
        await release.wait()
        yield AttachToTaskRunOutput()

    async def attach(message: AttachToTaskRunRequest) -> None:
        async for _ in api.stub.attach_to_task_run([message]):
            pass

    async with (
        served(tmp_path, Scripted(get=echo, attach=hold)) as api,
        channel_to(api.server, api.certificate) as other,
        asyncio.TaskGroup() as group,
    ):
        room = LARGEST_AT_ONCE * MAX_MESSAGE_BYTES // TYPED_BYTES
        for _ in range(room):
            group.create_task(attach(typed))
        for _ in range(room):
            await reached.acquire()
        answer = await GoferStub(other).get_pipeline(GetPipelineRequest(id=LARGE))
        release.set()
        with pytest.raises(GRPCError) as caught:
            await attach(AttachToTaskRunRequest(input=AttachToTaskRunInput(chunk=b"x" * TYPED_BYTES)))

    assert text_of(answer) == LARGE
    assert caught.value.status is Status.RESOURCE_EXHAUSTED


async def test_who_takes_a_large_reply_slowly_keeps_no_room_of_others(tmp_path: Path) -> None:
    """It kept that of its request until the last byte of the reply was taken."""
    reached = asyncio.Semaphore(0)

    async def answer(message: GetPipelineRequest) -> GetPipelineResponse:
        reached.release()
        return await echo(message)

    async with (
        served(tmp_path, Scripted(get=answer)) as api,
        channel_to(api.server, api.certificate, config=SMALLEST_WINDOWS) as slow,
        channel_to(api.server, api.certificate) as other,
        AsyncExitStack() as stack,
    ):
        for _ in range(LARGEST_AT_ONCE):
            call = slow.request(GET, Cardinality.UNARY_UNARY, GetPipelineRequest, GetPipelineResponse)
            stream = await stack.enter_async_context(call)
            stack.push_async_callback(stream.cancel)
            await stream.send_message(GetPipelineRequest(id=LARGE), end=True)
            await reached.acquire()
        taken = await GoferStub(other).get_pipeline(GetPipelineRequest(id=LARGE))

    assert text_of(taken) == LARGE


async def test_a_request_of_very_many_parts_is_refused(tmp_path: Path) -> None:
    """Each empty task has two bytes and made an object of eight hundred."""
    # The same part again and again, which is put together: so the test makes no objects either.
    request = Raw(element(2, b"") * (MOST_PARTS // len(fields(UserPipelineConfig()))))
    reply_type = RegisterPipelineConfigResponse

    async def register(channel: Channel) -> None:
        path = "/proto.Gofer/RegisterPipelineConfig"
        async with channel.request(path, Cardinality.UNARY_UNARY, RegisterPipelineConfigRequest, reply_type) as stream:
            await stream.send_message(cast("RegisterPipelineConfigRequest", request), end=True)
            await stream.recv_message()

    async with served(tmp_path, Scripted()) as api:
        with pytest.raises(GRPCError, match="too many parts") as caught:
            await register(api.channel)

    assert caught.value.status is Status.INVALID_ARGUMENT


async def test_a_stream_of_replies_keeps_no_large_request(tmp_path: Path) -> None:
    """It would keep its room for as long as it lasts."""
    async with served(tmp_path, Scripted()) as api:
        with pytest.raises(GRPCError) as caught:
            async for _ in api.stub.get_task_run_logs(GetTaskRunLogsRequest(id="x" * SMALL_BYTES)):
                pass

    assert caught.value.status is Status.RESOURCE_EXHAUSTED


async def test_a_connection_forgets_calls_that_are_long_over() -> None:
    """Each of them cost a hundred bytes for as long as the connection lasted: megabytes for a client that stays."""
    server = TrackingServer([make_gateway(Scripted(get=echo))], codec=WireCodec())
    (listener, *others) = await listen(FREE_PORT)
    for each in others:
        each.close()
    channel = Channel(*listener.getsockname()[:2], codec=WireCodec())
    await server.start(sock=listener)
    try:
        for _ in range(0, MOST_CLOSED_STREAMS + 100, 50):
            await asyncio.gather(*(GoferStub(channel).get_pipeline(GetPipelineRequest()) for _ in range(50)))
        (connection,) = server._connections  # noqa: SLF001 - nobody tells it
        remembered = len(connection.connection._connection._closed_streams)  # noqa: SLF001
    finally:
        channel.close()
        server.close()
        await server.wait_closed()

    assert remembered == MOST_CLOSED_STREAMS


async def listener_of_two() -> Listener:
    """Listen on one address, for two connections at the most."""
    (listener, *others) = await listen(FREE_PORT)
    for each in others:
        each.close()
    listener.most_connections = 2
    return listener


async def test_a_connection_too_many_is_closed_and_the_others_stay() -> None:
    server = TrackingServer([make_gateway(Scripted())], codec=WireCodec())
    listener = await listener_of_two()
    host, port = listener.getsockname()[:2]
    await server.start(sock=listener)
    try:
        opened = [await asyncio.open_connection(host, port) for _ in range(2)]
        first = [await reader.read(9) for reader, _ in opened]  # the settings, with which every connection begins
        reader, writer = await asyncio.open_connection(host, port)
        over = await reader.read()
        opened[0][1].close()
        await opened[0][1].wait_closed()
        writer.close()
    finally:
        opened[1][1].close()
        server.close()
        await server.wait_closed()

    assert all(first)
    assert over == b""


async def test_connections_that_say_nothing_count_too_until_they_are_closed(tmp_path: Path) -> None:
    """Each of them cost a hundred kilobytes before it was counted, of anybody, as many as there may be open files."""
    certificate = tmp_path / "cert.pem"
    certificate.write_bytes(make_certificate(("localhost", "127.0.0.1"), now=datetime.now(UTC)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    server = TrackingServer([make_gateway(Scripted())], codec=WireCodec())
    listener = await listener_of_two()
    host, port = listener.getsockname()[:2]
    await server.start(sock=listener, ssl=tls)
    try:
        silent = [await asyncio.open_connection(host, port) for _ in range(2)]
        over, writer = await asyncio.open_connection(host, port)
        told = await over.read()
        for leaving in (writer, silent[0][1]):
            leaving.close()
        while True:
            with suppress(OSError):  # until the server has seen that one has gone
                _, late = await asyncio.open_connection(host, port, ssl=trusting, server_hostname="localhost")
                late.transport.abort()
                break
    finally:
        silent[1][1].close()
        server.close()
        await server.wait_closed()

    assert told == b""


async def test_a_request_may_come_in_any_frames(tmp_path: Path) -> None:
    """One without bytes was taken for the end."""
    whole = framed(encode(GetPipelineRequest(id="hello")))
    pieces = (b"", *(whole[at : at + 1] for at in range(len(whole))), b"")
    async with served(tmp_path, Scripted(get=echo)) as api:
        answers = await answers_to(api, [(":method", "POST"), (":path", GET)], data=(b"", whole[:7], b"", whole[7:]))
        again = await answers_to(api, [(":method", "POST"), (":path", GET)], data=pieces)

    assert [answer[b"grpc-status"] for answer in (*answers, *again)] == [b"0", b"0"]


async def test_what_comes_after_a_request_is_dropped(tmp_path: Path) -> None:
    """It was held for as long as the call lasted."""
    reached, release = asyncio.Event(), asyncio.Event()

    async def hold(message: GetPipelineRequest) -> GetPipelineResponse:
        reached.set()
        await release.wait()
        return GetPipelineResponse()

    size = 3 * Configuration().__for_server__().http2_stream_window_size
    async with (
        served(tmp_path, Scripted(get=hold)) as api,
        api.channel.request(GET, Cardinality.UNARY_UNARY, GetPipelineRequest, GetPipelineResponse) as stream,
    ):
        await stream.send_request()
        await stream._stream.send_data(framed(b""))  # noqa: SLF001 - grpclib itself sends one message
        await reached.wait()
        await stream._stream.send_data(b"x" * size, end_stream=True)  # noqa: SLF001 - as above
        stream._end_done = True  # noqa: SLF001 - as above
        release.set()
        answer = await stream.recv_message()

    assert answer == GetPipelineResponse()
