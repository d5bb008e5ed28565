"""What the tests of the gateway share: small calls, an endless stream, and bytes that no well-behaved client sends."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from grpclib.client import Stream
from grpclib.const import Cardinality
from grpclib.exceptions import GRPCError
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded, TrailersReceived

from gofer_sdk._proto.proto import (
    GetPipelineRequest,
    GetPipelineResponse,
    GetTaskRunLogsRequest,
    GetTaskRunLogsResponse,
    Pipeline,
    PipelineMetadata,
)
from tests.fakes.api import Served

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


def framed(data: bytes, *, size: int | None = None, compressed: int = 0) -> bytes:
    return bytes((compressed,)) + (len(data) if size is None else size).to_bytes(4, "big") + data


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


async def answers_to(
    it: Served, *calls: list[tuple[str, str]], data: tuple[bytes, ...] = (framed(b""),)
) -> list[dict[bytes, bytes]]:
    """Make calls with these headers and a message, empty if nothing is said of it, in so many frames.

    Give the headers and trailers that answer each.
    """
    context = ssl.create_default_context(cafile=str(it.certificate))
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("localhost", it.server.port, ssl=context)
    connection = H2Connection(H2Configuration(validate_outbound_headers=False))
    connection.initiate_connection()
    for number, headers in enumerate(calls):
        connection.send_headers(2 * number + 1, [(":scheme", "https"), *headers, *HEADERS])
        for each in data:
            connection.send_data(2 * number + 1, each)
        connection.end_stream(2 * number + 1)
    writer.write(connection.data_to_send())
    answers: dict[int, dict[bytes, bytes]] = {}
    left = len(calls)
    while left:
        for event in connection.receive_data(await reader.read(10_000)):
            if isinstance(event, ResponseReceived | TrailersReceived):
                answers.setdefault(event.stream_id, {}).update(event.headers)
            left -= isinstance(event, StreamEnded)
    writer.close()
    return [answers[stream] for stream in sorted(answers)]
