"""A call that was cut off leaves its task as it found it: not cancelled, unless somebody has cancelled it.

grpclib wakes who waits for an answer by cancelling it. That was never taken back: a program that had lived through the
loss of a connection ended a later Ctrl-C with a traceback of CancelledError, since for asyncio it was cancelled twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import betterproto2
import pytest
from grpclib.exceptions import StreamTerminatedError

from gofer_sdk import errors, proto
from gofer_sdk.client import GoferClient
from gofer_sdk.client.waking import Waker
from tests.fakes.cutter import Cutter
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.conftest import HASTE


def cancels() -> int:
    """Return how many cancels of the running task nobody has taken back."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def test_a_call_that_was_late_leaves_no_cancel_behind(server: FakeServer) -> None:
    async def never(_: betterproto2.Message) -> betterproto2.Message:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # nothing comes of it

    server.answer("GetSystemInfo", never)
    patience = replace(HASTE, call_timeout=timedelta(milliseconds=50))

    async with GoferClient(f"127.0.0.1:{server.port}", patience=patience) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.system.info()

    assert cancels() == 0


async def test_a_call_whose_connection_was_lost_leaves_no_cancel_behind(server: FakeServer) -> None:
    async with Cutter.before(server.port) as cutter, GoferClient(f"127.0.0.1:{cutter.port}", patience=HASTE) as client:

        async def cut(_: betterproto2.Message) -> betterproto2.Message:
            cutter.cut()
            return proto.GetSystemInfoResponse()

        server.answer("GetSystemInfo", cut)
        with pytest.raises(errors.Unavailable):
            await client.system.info()

    assert cancels() == 0


async def test_a_stream_that_went_on_leaves_no_cancel_behind(server: FakeServer) -> None:
    async with Cutter.before(server.port) as cutter, GoferClient(f"127.0.0.1:{cutter.port}", patience=HASTE) as client:

        async def events(request: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
            assert isinstance(request, proto.ListEventsRequest)
            yield proto.ListEventsResponse(event=proto.Event(id=request.after_id + 1))
            if request.after_id == 0:
                await asyncio.Event().wait()

        server.stream("ListEvents", events)
        async with aclosing(client.events.list(follow=True)) as found:
            first = await anext(found)
            cutter.cut()
            second = await anext(found)

    assert (first.id, second.id) == (1, 2)
    assert cancels() == 0


async def test_a_cancel_that_comes_with_the_loss_of_the_connection_is_heeded() -> None:
    waker, waits = Waker(), asyncio.Event()

    async def call() -> None:
        with waker:
            waits.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await waits.wait()
    waker.cancel(StreamTerminatedError("connection lost"))
    waker.cancel(StreamTerminatedError("connection lost, told twice"))
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_a_time_limit_around_a_call_is_told_from_the_loss_of_its_connection() -> None:
    waker = Waker()

    async def call() -> None:
        async with asyncio.timeout(0):
            asyncio.get_running_loop().call_soon(waker.cancel, StreamTerminatedError("connection lost"))
            with waker:
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await call()

    assert cancels() == 0
