"""Clients that make the server wait."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

from gofer.config.settings import Settings
from gofer.logging import set_up_logging
from gofer_sdk._proto.proto import (
    GetPipelineRequest,
    GetPipelineResponse,
    GetTaskRunLogsRequest,
    GetTaskRunLogsResponse,
)
from gofer_sdk.client import GoferClient
from tests.fakes.api import served
from tests.fakes.handlers import Scripted
from tests.service.calls import GET, HEADERS, LOGS, Endless, echo, framed, reply, sent, text_of

SHORT = timedelta(seconds=0.3)
PATIENCES = (SHORT, 10 * SHORT, 100 * SHORT)
"""Who stands still for longer than it means to is no slow client, but one on a busy machine: it gets more time."""
A_WHILE = timedelta(seconds=1)  # that a busy machine does not stand still for in the middle of a call


@pytest.mark.timeout(90)
async def test_a_client_that_reads_no_more_replies_is_let_go_and_others_are_not(tmp_path: Path) -> None:
    """What it holds (a place in a log, a subscription of the bus) would be held for ever."""
    log = BytesIO()
    others: list[str] = []

    with set_up_logging(Settings(), stream=log):
        for patience in PATIENCES:
            others.append(await _said_to_another_once_one_was_let_go(tmp_path, patience))
            if others[-1] == "next":
                break

    assert others[-1] == "next", others
    lines = [json.loads(each) for each in log.getvalue().splitlines() if LOGS.encode() in each]
    assert [line["status"] for line in lines] == ["UNAVAILABLE"] * len(others)
    assert "go on where it stopped" in lines[-1]["error"]


async def _said_to_another_once_one_was_let_go(folder: Path, patience: timedelta) -> str:
    endless = Endless()
    async with served(folder, Scripted(get=echo, logs=endless.logs), patience=patience) as it:
        async with it.channel.request(
            LOGS, Cardinality.UNARY_STREAM, GetTaskRunLogsRequest, GetTaskRunLogsResponse
        ) as stream:
            await stream.send_message(GetTaskRunLogsRequest(), end=True)
            await endless.closed.wait()
            await stream.cancel()
        try:
            return text_of(await it.stub.get_pipeline(GetPipelineRequest(id="next")))
        except GRPCError as error:
            return error.message or ""


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


LARGE_TEXT = "x" * 600_000  # some ten pieces, through a window of one


@pytest.mark.timeout(90)
async def test_a_slow_reader_that_goes_on_reading_is_kept(tmp_path: Path) -> None:
    received = 0
    for patience in PATIENCES:
        received = await _received_slowly(tmp_path, patience=patience, pause=patience / 3)
        if received > len(LARGE_TEXT):
            return
    raise AssertionError(f"it was let go after {received} bytes")


async def _received_slowly(folder: Path, *, patience: timedelta, pause: timedelta) -> int:
    """Give how many bytes of a large reply came to a client that pauses after each piece."""

    async def large(message: GetPipelineRequest) -> GetPipelineResponse:
        return reply(LARGE_TEXT)

    async with served(folder, Scripted(get=large), patience=patience) as it:
        context = ssl.create_default_context(cafile=str(it.certificate))
        context.set_alpn_protocols(["h2"])
        _, writer = opened = await asyncio.open_connection("localhost", it.server.port, ssl=context)
        connection = H2Connection()
        connection.initiate_connection()
        connection.send_headers(1, [(":method", "POST"), (":scheme", "https"), (":path", GET), *HEADERS])
        connection.send_data(1, framed(b""), end_stream=True)
        received = await _read_slowly(connection, opened, pause=pause)
        writer.close()
    return received


async def _read_slowly(
    connection: H2Connection, opened: tuple[asyncio.StreamReader, asyncio.StreamWriter], *, pause: timedelta
) -> int:
    """Give how many bytes a call got whose client takes a piece after each pause."""
    reader, writer = opened
    received = 0
    while True:
        writer.write(connection.data_to_send())
        data = await reader.read(70_000)
        if not data:
            return received
        for event in connection.receive_data(data):
            if isinstance(event, (StreamEnded, StreamReset)):
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
            await asyncio.sleep(2 * A_WHILE.total_seconds())
            yield GetTaskRunLogsResponse(line_num=number)

    async with served(tmp_path, Scripted(logs=slow), patience=A_WHILE) as it:
        lines = [each.line_num async for each in it.stub.get_task_run_logs(GetTaskRunLogsRequest())]

    assert lines == [1, 2]
