"""Logs and events that are followed: nothing lost, nothing twice, whatever happens to the connection."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import betterproto2
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk import errors, proto
from gofer_sdk.client import EventFilter, GoferClient, LogChunk, Patience, Tail
from tests.fakes.cutter import Cutter
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.conftest import HASTE

LOG = b"".join(b"line %d\n" % n for n in range(20_000)) + b"\xff no newline"
CHUNK_BYTES = 1000


def chunk(offset: int, data: bytes) -> proto.GetTaskRunLogsResponse:
    return proto.GetTaskRunLogsResponse(chunk=data, offset_bytes=offset)


async def whole_log(request: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
    assert isinstance(request, proto.GetTaskRunLogsRequest)
    assert request.raw
    for offset in range(request.offset_bytes, len(LOG), CHUNK_BYTES):
        yield chunk(offset, LOG[offset : offset + CHUNK_BYTES])
        await asyncio.sleep(0)


def event(number: int) -> proto.ListEventsResponse:
    return proto.ListEventsResponse(event=proto.Event(id=number, type="RUN_STARTED"))


def assert_whole(chunks: list[LogChunk]) -> None:
    """Every byte once, and each chunk knows where it begins."""
    assert b"".join(one.data for one in chunks) == LOG
    ends = [0, *(one.offset_bytes + len(one.data) for one in chunks)]
    assert [one.offset_bytes for one in chunks] == ends[:-1]


async def test_a_log_comes_byte_for_byte_and_ends(server: FakeServer, client: GoferClient) -> None:
    server.stream("GetTaskRunLogs", whole_log)

    chunks = [one async for one in client.task_runs.logs("nightly", 7, "build", namespace="team")]

    assert_whole(chunks)
    assert server.requests == [
        proto.GetTaskRunLogsRequest(namespace_id="team", pipeline_id="nightly", run_id=7, id="build", raw=True)
    ]


async def test_a_log_can_begin_at_an_offset_and_not_be_followed(server: FakeServer, client: GoferClient) -> None:
    server.stream("GetTaskRunLogs", whole_log)

    chunks = [one async for one in client.task_runs.logs("nightly", 7, "build", start=500, follow=False)]

    assert b"".join(one.data for one in chunks) == LOG[500:]
    assert server.requests == [
        proto.GetTaskRunLogsRequest(
            pipeline_id="nightly", run_id=7, id="build", raw=True, offset_bytes=500, no_follow=True
        )
    ]


async def test_a_log_whose_connection_breaks_at_any_moment_is_whole(server: FakeServer) -> None:
    server.stream("GetTaskRunLogs", whole_log)
    chunks: list[LogChunk] = []

    async with (
        Cutter.before(server.port) as cutter,
        GoferClient(f"127.0.0.1:{cutter.port}", patience=HASTE) as client,
        aclosing(client.task_runs.logs("nightly", 7, "build")) as log,
    ):
        async for one in log:
            chunks.append(one)
            if len(chunks) % 40 == 0:
                cutter.cut()

    assert_whole(chunks)
    assert cutter.connections > 1


async def test_a_log_goes_on_when_the_server_comes_back(server: FakeServer) -> None:
    tries = 0
    tried_for_long, held = asyncio.Event(), asyncio.Event()

    def count(_: errors.CallFailed, __: timedelta) -> None:
        nonlocal tries
        tries += 1
        if tries > HASTE.attempts:  # a stream that was open is tried for longer than a first call
            tried_for_long.set()

    async def log(request: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        assert isinstance(request, proto.GetTaskRunLogsRequest)
        if request.offset_bytes:
            yield chunk(request.offset_bytes, LOG[request.offset_bytes :])
            return
        yield chunk(0, LOG[:10])
        await held.wait()

    server.stream("GetTaskRunLogs", log)
    async with (
        Cutter.before(server.port) as cutter,
        GoferClient(f"127.0.0.1:{cutter.port}", patience=HASTE, on_retry=count) as client,
        aclosing(client.task_runs.logs("nightly", 7, "build")) as chunks,
    ):
        first = await anext(chunks)
        await cutter.refuse()
        cutter.cut()
        waiting = asyncio.create_task(anext(chunks))
        await tried_for_long.wait()
        await cutter.listen()
        second = await waiting

    held.set()
    assert first == LogChunk(offset_bytes=0, data=LOG[:10])
    assert second == LogChunk(offset_bytes=10, data=LOG[10:])


async def test_the_tail_of_a_log_is_asked_for_until_its_first_bytes_are_there(
    server: FakeServer, client: GoferClient
) -> None:
    async def log(request: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        assert isinstance(request, proto.GetTaskRunLogsRequest)
        if len(server.requests) == 1:
            raise GRPCError(Status.UNAVAILABLE, "going away")
        if len(server.requests) == 2:
            yield chunk(900, b"tail\n")
            raise GRPCError(Status.UNAVAILABLE, "going away")
        yield chunk(request.offset_bytes, b"more\n")

    server.stream("GetTaskRunLogs", log)

    chunks = [one async for one in client.task_runs.logs("nightly", 7, "build", start=Tail(lines=1))]

    asked = [
        (one.tail_lines, one.offset_bytes) for one in server.requests if isinstance(one, proto.GetTaskRunLogsRequest)
    ]
    assert asked == [(1, 0), (1, 0), (0, 905)]
    assert chunks == [LogChunk(offset_bytes=900, data=b"tail\n"), LogChunk(offset_bytes=905, data=b"more\n")]


async def test_bytes_that_come_again_are_left_out(server: FakeServer, client: GoferClient) -> None:
    async def log(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        yield chunk(0, b"abc")
        yield chunk(0, b"abc")
        yield chunk(1, b"bcdef")

    server.stream("GetTaskRunLogs", log)

    chunks = [one async for one in client.task_runs.logs("nightly", 7, "build")]

    assert chunks == [LogChunk(offset_bytes=0, data=b"abc"), LogChunk(offset_bytes=3, data=b"def")]


async def test_a_log_that_is_gone_is_an_error(client: GoferClient, server: FakeServer) -> None:
    async def log(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        if server.requests:
            raise GRPCError(Status.FAILED_PRECONDITION, "the log has expired")
        yield chunk(0, b"")

    server.stream("GetTaskRunLogs", log)

    with pytest.raises(errors.FailedPrecondition, match="the log has expired"):
        await anext(client.task_runs.logs("nightly", 7, "build"))


async def test_a_stream_that_is_left_early_ends_at_the_server_too(server: FakeServer, client: GoferClient) -> None:
    left = asyncio.Event()

    async def log(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        try:
            yield chunk(0, b"abc")
            await asyncio.Event().wait()
        finally:
            left.set()

    server.stream("GetTaskRunLogs", log)

    async with aclosing(client.task_runs.logs("nightly", 7, "build")) as chunks:
        async for _ in chunks:
            break

    await left.wait()


async def test_a_server_that_is_not_there_is_not_waited_for_long(closed_port: int) -> None:
    told: list[errors.CallFailed] = []

    async with GoferClient(
        f"127.0.0.1:{closed_port}", patience=HASTE, on_retry=lambda fault, _: told.append(fault)
    ) as client:
        with pytest.raises(errors.Unavailable, match="nothing listens"):
            await anext(client.events.list(follow=True))

    assert len(told) == HASTE.attempts - 1


async def test_a_host_whose_connections_fail_slowly_is_not_tried_for_ever() -> None:
    """An attempt that took longer than the longest delay counted as a connection that had held for a while."""
    told: list[errors.CallFailed] = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    moment = timedelta(microseconds=1)  # any attempt takes longer
    patience = Patience(attempts=5, first_delay=moment, longest_delay=moment)
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
        host = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with GoferClient(host, patience=patience, on_retry=lambda fault, _: told.append(fault)) as client:
            with pytest.raises(errors.Unavailable):
                await anext(client.events.list(follow=True))

    assert len(told) == 4


async def test_a_host_that_answers_nothing_can_not_be_reached() -> None:
    """It was DeadlineExceeded, after which a stream was not opened again, however long `reconnect_for` was."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        async with GoferClient(host, patience=replace(HASTE, call_timeout=timedelta(milliseconds=50))) as client:
            with pytest.raises(errors.Unavailable, match=f"{host} can't be reached: no connection within 0.05 s"):
                await anext(client.events.list(follow=True))


async def test_a_stream_that_does_not_come_back_is_given_up(server: FakeServer) -> None:
    async def events(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        yield event(1)
        raise GRPCError(Status.UNAVAILABLE, "going away")

    server.stream("ListEvents", events)
    patience = replace(HASTE, reconnect_for=timedelta(milliseconds=100))

    async with (
        Cutter.before(server.port) as cutter,
        GoferClient(f"127.0.0.1:{cutter.port}", patience=patience) as client,
        aclosing(client.events.list(follow=True)) as found,
    ):
        assert (await anext(found)).id == 1
        await cutter.refuse()
        cutter.cut()
        with pytest.raises(errors.Unavailable):
            await anext(found)


async def test_events_are_asked_for_as_told(server: FakeServer, client: GoferClient) -> None:
    async def events(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        yield event(8)

    server.stream("ListEvents", events)

    only = EventFilter(kinds=("RUN_STARTED",), namespace="team", pipeline="nightly", run=7)
    found = [one async for one in client.events.list(only=only, after_id=5, follow=True, limit=3)]

    assert found == [proto.Event(id=8, type="RUN_STARTED")]
    assert server.requests == [
        proto.ListEventsRequest(
            follow=True,
            after_id=5,
            kinds=["RUN_STARTED"],
            namespace_id="team",
            pipeline_id="nightly",
            run_id=7,
            limit=3,
        )
    ]


async def test_events_go_on_after_the_last_one_given(server: FakeServer, client: GoferClient) -> None:
    async def events(request: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        assert isinstance(request, proto.ListEventsRequest)
        yield event(max(request.after_id, 1))  # once more, as a server of 0.6 may
        yield event(request.after_id + 1)
        if request.after_id < 4:
            raise GRPCError(Status.UNAVAILABLE, "going away")

    server.stream("ListEvents", events)

    found = [one.id async for one in client.events.list(follow=True, limit=9)]

    assert found == [1, 2, 3, 4, 5]
    asked = [(one.after_id, one.limit) for one in server.requests if isinstance(one, proto.ListEventsRequest)]
    assert asked == [(0, 9), (1, 8), (2, 7), (3, 6), (4, 5)]


async def test_a_limit_ends_a_stream_that_goes_on(server: FakeServer, client: GoferClient) -> None:
    async def events(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        for number in range(1, 100):
            yield event(number)

    server.stream("ListEvents", events)

    assert [one.id async for one in client.events.list(follow=True, limit=3)] == [1, 2, 3]


async def test_events_in_reverse_are_not_begun_again(server: FakeServer, client: GoferClient) -> None:
    async def events(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        yield event(9)
        raise GRPCError(Status.UNAVAILABLE, "going away")

    server.stream("ListEvents", events)
    found = client.events.list(reverse=True)

    assert (await anext(found)).id == 9
    with pytest.raises(errors.Unavailable, match="going away"):
        await anext(found)
    assert len(server.requests) == 1


async def test_a_run_is_waited_for_until_it_has_ended(server: FakeServer, client: GoferClient) -> None:
    ended = asyncio.Event()
    run = proto.Run(namespace="default", pipeline="nightly", id=7, state=proto.RunRunState.RUNNING)

    async def get(_: betterproto2.Message) -> betterproto2.Message:
        state = proto.RunRunState.COMPLETE if ended.is_set() else proto.RunRunState.RUNNING
        return proto.GetRunResponse(run=replace(run, state=state))

    async def events(_: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
        ended.set()
        yield proto.ListEventsResponse(event=proto.Event(id=1, type="RUN_COMPLETED"))
        await asyncio.Event().wait()

    server.answer("GetRun", get)
    server.stream("ListEvents", events)

    found = await client.runs.wait("nightly", 7)

    assert found.state == proto.RunRunState.COMPLETE
    assert server.requests[1] == proto.ListEventsRequest(
        follow=True, kinds=["RUN_COMPLETED"], namespace_id="default", pipeline_id="nightly", run_id=7, limit=1
    )


async def test_a_run_that_has_ended_is_not_waited_for(server: FakeServer, client: GoferClient) -> None:
    run = proto.Run(id=7, state=proto.RunRunState.COMPLETE)
    server.answer("GetRun", proto.GetRunResponse(run=run))

    assert await client.runs.wait("nightly", 7) == run
    assert len(server.requests) == 1
