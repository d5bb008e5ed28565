"""Clients that leave, time out or read nothing, at every call: nothing is kept for them, and others don't notice.

The calls are those that the server says it answers, so that a new one is covered from its first day.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.fakes.waiting import until
from tests.integration.faults.faulty import FaultyServer, Holds, deploy, faulty_server, start, until_running
from tests.integration.faults.requests import HELD, Request
from tests.integration.faults.rude_client import RudeClient, framed

pytestmark = pytest.mark.timeout(180)

MOST_CALLS_A_CONNECTION = 40
ROUNDS = 1
SHORT = "300m"
PATIENCE = timedelta(seconds=1)
ANSWER_SECONDS = 30  # far more than any call takes, far less than a server that hangs
MOST_GROWTH_BYTES = 24 * 1024 * 1024
MANY = 40  # calls for the same log: more than the sockets between them take

Calls = Sequence[Request]


async def leave_after_headers(port: int, calls: Calls) -> None:
    async with RudeClient.connected(port) as client:
        for each in calls:
            client.call(each.path)
        await client.flush()


async def leave_in_a_message(port: int, calls: Calls) -> None:
    async with RudeClient.connected(port) as client:
        for each in calls:
            data = framed(each.body + b"\0" * 8)
            client.send(client.call(each.path), data[: len(data) // 2], end=False)
        await client.flush()


async def leave_without_the_answer(port: int, calls: Calls) -> None:
    async with RudeClient.connected(port) as client:
        for each in calls:
            client.send(client.call(each.path), framed(each.body))
        await client.flush()


async def take_back(port: int, calls: Calls) -> None:
    """Answers cross the resets: either may come first."""
    async with RudeClient.connected(port) as client:
        numbers = [client.call(each.path) for each in calls]
        for number, each in zip(numbers, calls, strict=True):
            client.send(number, framed(each.body))
        await client.flush()
        for number in numbers:
            client.reset(number)
        last = client.call("/grpc.health.v1.Health/Check")
        client.send(last, framed(b""))
        await client.until_ended({last})


async def time_out(port: int, calls: Calls) -> None:
    async with RudeClient.connected(port) as client:
        numbers = [client.call(each.path, timeout=SHORT) for each in calls]
        for number, each in zip(numbers, calls, strict=True):
            client.send(number, framed(each.body))
        await client.until_ended(set(numbers))


async def time_out_before_the_request(port: int, calls: Calls) -> None:
    async with RudeClient.connected(port) as client:
        await client.until_ended({client.call(each.path, timeout=SHORT) for each in calls})


async def take_nothing(port: int, calls: Calls) -> None:
    """Its windows are closed: the server can send a status, and nothing else."""
    async with RudeClient.connected(port, window_bytes=0) as client:
        numbers = [client.call(each.path) for each in calls]
        for number, each in zip(numbers, calls, strict=True):
            client.send(number, framed(each.body))
        await client.until_ended(set(numbers))


async def read_nothing(port: int, calls: Calls) -> None:
    """Its windows are wide, and nothing leaves the socket."""
    for part in [calls, *([each] * MANY for each in calls if each.is_stream)]:
        async with RudeClient.connected(port) as client:
            client.read_no_more()
            for each in part:
                client.send(client.call(each.path), framed(each.body))
            await client.flush()
            async with RudeClient.connected(port) as other:
                last = other.call("/grpc.health.v1.Health/Check")
                other.send(last, framed(b""))
                await other.until_ended({last})


RUDENESS: tuple[Callable[[int, Calls], Awaitable[None]], ...] = (
    leave_after_headers,
    leave_in_a_message,
    leave_without_the_answer,
    take_back,
    time_out,
    time_out_before_the_request,
    take_nothing,
    read_nothing,
)


async def test_clients_of_every_kind_leave_nothing_behind_and_disturb_nobody(tmp_path: Path) -> None:
    async with faulty_server(tmp_path, "memory") as server, server.client() as polite:
        await hold_a_task(polite)
        calls = await calls_of(server)
        await server.ask(f"patience {PATIENCE.total_seconds()}")
        async with answered_meanwhile(polite):
            await all_rude_once(server, calls)
        before = await settled(server)
        async with answered_meanwhile(polite) as answers:
            for _ in range(ROUNDS):
                await all_rude_once(server, calls)

        left: list[str] = []

        async def is_as_before() -> bool:
            left[:] = (await server.holds()).beyond(before)
            return not left

        try:
            await until(is_as_before)
        except TimeoutError:
            pytest.fail(f"left behind: {left}")
        assert (await server.holds()).rss_bytes - before.rss_bytes < MOST_GROWTH_BYTES
        assert len(answers) > ROUNDS * len(RUDENESS)
        assert (await polite.runs.get(HELD, 1)).state == proto.RunRunState.RUNNING


async def settled(server: FaultyServer) -> Holds:
    """Give what the server holds once no call is under way."""

    async def is_settled() -> bool:
        return not any(name.startswith("Task-") and name != "Task-1" for name in (await server.holds()).tasks)

    await until(is_settled)
    return await server.holds()


async def hold_a_task(client: GoferClient) -> None:
    """Have a task that runs, and its log."""
    line = "x" * 99 + "\n"
    task = proto.UserPipelineTaskConfig(
        id=HELD,
        image="busybox",
        variables={"GOFER_MEMORY_HOLD": "true", "GOFER_MEMORY_LOG": line * 1000},
    )
    await deploy(client, task, pipeline=HELD)
    await start(client, HELD)
    await until_running(client, 1, HELD, pipeline=HELD)


async def calls_of(server: FaultyServer) -> list[Request]:
    answer = await server.ask("requests")
    assert isinstance(answer, list)
    calls = [Request(path=path, body=base64.b64decode(body), is_stream=is_stream) for path, body, is_stream in answer]
    assert len(calls) > 70
    assert sum(each.is_stream for each in calls) > 3
    return calls


async def all_rude_once(server: FaultyServer, calls: Calls) -> None:
    parts = [calls[at : at + MOST_CALLS_A_CONNECTION] for at in range(0, len(calls), MOST_CALLS_A_CONNECTION)]
    for rude in RUDENESS:
        for part in parts:
            async with asyncio.timeout(ANSWER_SECONDS):
                await rude(server.port, part)


@asynccontextmanager
async def answered_meanwhile(client: GoferClient) -> AsyncIterator[list[int]]:
    """Make calls all the time, for the length of the block; none may take long."""
    answers: list[int] = []

    async def ask() -> None:
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers.append((await client.runs.get(HELD, 1)).id)
                await client.system.info()

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask(), name="a polite client")
        yield answers
        asking.cancel()
