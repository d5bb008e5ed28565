import asyncio
import json

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from tests.service.wire import deploy, kinds, register, up


async def events(stub: proto.GoferStub, query: proto.ListEventsRequest) -> list[proto.Event]:
    return [reply.event async for reply in stub.list_events(query) if reply.event is not None]


async def test_one_event_is_looked_up_with_its_details_as_json(stub: proto.GoferStub) -> None:
    event = (await stub.get_event(proto.GetEventRequest(id=1))).event

    assert event is not None
    assert (event.id, event.type) == (1, "NAMESPACE_CREATED")
    assert json.loads(event.details) == {"namespace_id": "default"}
    assert event.emitted > 0


async def test_history_comes_forwards_backwards_and_after_an_id(stub: proto.GoferStub) -> None:
    await up(stub)

    forwards = await events(stub, proto.ListEventsRequest())
    backwards = await events(stub, proto.ListEventsRequest(reverse=True, follow=True))
    rest = await events(stub, proto.ListEventsRequest(after_id=3))

    assert [event.id for event in forwards] == [1, 2, 3, 4, 5]
    assert backwards == forwards[::-1]
    assert rest == forwards[3:]


async def test_a_filter_narrows_what_comes(stub: proto.GoferStub) -> None:
    await up(stub)
    await up(stub, pipeline="other")

    found = await events(
        stub,
        proto.ListEventsRequest(kinds=["PIPELINE_REGISTERED"], namespace_id="default", pipeline_id="other"),
    )

    assert [json.loads(event.details)["pipeline_id"] for event in found] == ["other"]


async def test_a_follower_gets_history_then_what_happens_each_once(stub: proto.GoferStub) -> None:
    await register(stub)

    async def follow() -> list[int]:
        return [event.id for event in await events(stub, proto.ListEventsRequest(follow=True, limit=25))]

    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(follow()) for _ in range(3)]
        for _ in range(11):
            await deploy(stub)

    assert [follower.result() for follower in followers] == [list(range(1, 26))] * 3


async def test_a_follower_may_leave_and_go_on_later(stub: proto.GoferStub) -> None:
    await register(stub)
    async with stub.channel.request(
        "/proto.Gofer/ListEvents",
        cardinality=Cardinality.UNARY_STREAM,
        request_type=proto.ListEventsRequest,
        reply_type=proto.ListEventsResponse,
    ) as stream:
        await stream.send_message(proto.ListEventsRequest(follow=True), end=True)
        seen = [await stream.recv_message() for _ in range(3)]
        await stream.cancel()
    last = seen[-1]
    assert last is not None
    assert last.event is not None

    await deploy(stub)

    rest = await events(stub, proto.ListEventsRequest(after_id=last.event.id))
    assert [event.id for event in rest] == [4, 5]


async def test_faults_come_with_the_status_that_fits(stub: proto.GoferStub) -> None:
    with pytest.raises(GRPCError, match="no event 77") as unknown:
        await stub.get_event(proto.GetEventRequest(id=77))
    with pytest.raises(GRPCError, match="id is missing") as missing:
        await stub.get_event(proto.GetEventRequest())
    with pytest.raises(GRPCError, match=r"not known.*RUN_STARTED") as kind:
        await events(stub, proto.ListEventsRequest(kinds=["RUN_STARTD"]))

    assert unknown.value.status is Status.NOT_FOUND
    assert missing.value.status is Status.INVALID_ARGUMENT
    assert kind.value.status is Status.INVALID_ARGUMENT
    assert await kinds(stub) == ["NAMESPACE_CREATED"]
