"""A stream whose server says goodbye in the same breath ends as the server says, and never as if it were whole.

grpclib takes a stream for ended well, whatever its status, where the connection is being closed by the time at which
the status is looked at: followers of a server that was stopped believed that there was no more to come.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from gofer_sdk import errors, proto
from gofer_sdk.client import GoferClient
from gofer_sdk.codec import encode
from tests.unit.gofer_sdk.client.conftest import HASTE

ANSWER = encode(proto.ListEventsResponse(event=proto.Event(id=1, type="RUN_STARTED")))


def last_words(connection: H2Connection, stream: int, status: str) -> bytes:
    """Give an answer and the end of its stream, as one piece."""
    connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
    connection.send_data(stream, b"\0" + len(ANSWER).to_bytes(4, "big") + ANSWER)
    connection.send_headers(stream, [("grpc-status", status), ("grpc-message", "stopping")], end_stream=True)
    return connection.data_to_send()


@asynccontextmanager
async def going_away(tls: ssl.SSLContext, status: str) -> AsyncIterator[GoferClient]:
    """Give the client of a server with which each call is the last one of its connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65_536):
            ended = [event for event in connection.receive_data(data) if isinstance(event, StreamEnded)]
            writer.write(connection.data_to_send())
            if ended:
                writer.write(last_words(connection, ended[0].stream_id, status))
                break
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        async with GoferClient(f"127.0.0.1:{port}", patience=replace(HASTE, attempts=1)) as client:
            yield client


async def test_a_stream_that_a_stopping_server_ends_is_not_taken_for_whole(server_tls: ssl.SSLContext) -> None:
    async with going_away(server_tls, "14") as client, aclosing(client.events.list(reverse=True)) as stream:
        first = await anext(stream)
        with pytest.raises(errors.Unavailable, match="stopping"):
            await anext(stream)

    assert first.id == 1


async def test_a_stream_that_ended_well_is_whole_though_its_server_goes_away(server_tls: ssl.SSLContext) -> None:
    async with going_away(server_tls, "0") as client:
        got = [event.id async for event in client.events.list(reverse=True)]

    assert got == [1]
