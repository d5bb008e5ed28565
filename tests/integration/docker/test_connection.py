"""Connections that break, at any request and any byte."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogChunk, LogCursor
from gofer.engines.protocols import ContainerState
from gofer.engines.scheduler.docker import DockerEngine, create
from tests.fakes.docker_cutter import DockerCutter
from tests.fakes.waiting import until
from tests.integration.docker.attempts import QUICK, Attempts, docker_engine, raw_docker, supervise

pytestmark = pytest.mark.docker

SLOW_LINES = "i=0; while [ $i -lt 30 ]; do echo line $i; echo error $i >&2; i=$((i+1)); sleep 0.01; done; printf end"
SLOW_OUT = b"".join(b"line %d\n" % number for number in range(30)) + b"end"
SLOW_ERR = b"".join(b"error %d\n" % number for number in range(30))


@pytest.mark.parametrize(
    "request_for",
    [
        "GET images/",
        "GET containers/json",
        "POST containers/create",
        "HEAD containers/.*/archive",
        "POST containers/.*/attach",
        "POST containers/.*/start",
        "POST containers/.*/wait",
        "GET containers/.*/logs",
        r"GET containers/\w{64}/json",
        "DELETE containers/",
    ],
)
async def test_a_lost_answer_loses_nothing_and_runs_nothing_twice(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts, request_for: str
) -> None:
    spec = attempts.shell("echo once; echo error >&2; exit 5")
    cutter.cut_answer(request_for)

    outcome = await supervise(cut_engine, spec)

    assert cutter.asked(request_for) >= 1
    assert (outcome.exit_code, outcome.out, outcome.err) == (5, b"once\n", b"error\n")
    assert await cut_engine.find(spec.attempt) is None
    assert [each async for each in cut_engine.owned(attempts.instance)] == []


@pytest.mark.parametrize("after_bytes", [150, 200, 301, 400, 600])
async def test_a_live_stream_that_is_cut_anywhere_goes_on_where_it_was(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts, after_bytes: int
) -> None:
    cutter.cut_answer("POST containers/.*/attach", after_bytes=after_bytes)

    outcome = await supervise(cut_engine, attempts.shell(SLOW_LINES))

    assert (outcome.out, outcome.err) == (SLOW_OUT, SLOW_ERR)
    assert cutter.asked("/logs") >= 1


async def test_a_live_stream_that_is_cut_long_before_the_end_stays_live(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    spec = attempts.shell("echo first; while ! [ -e /tmp/seen ]; do sleep 0.05; done; echo last")
    handle = await cut_engine.create(spec)
    read = []

    async with cut_engine.logs(handle) as chunks:
        await cut_engine.start(handle)
        read.append((await anext(chunks)).data)
        cutter.cut("/attach")
        async with asyncio.TaskGroup() as group:
            following = group.create_task(_rest(chunks))
            await until(lambda: cutter.asked("/logs.*follow=1"))
            await _touch(handle, "/tmp/seen")
        read.append(following.result())

    assert read == [b"first\n", b"last\n"]


async def _rest(chunks: AsyncIterator[LogChunk]) -> bytes:
    return b"".join([chunk.data async for chunk in chunks])


async def _touch(handle: str, file: str) -> None:
    async with raw_docker() as docker:
        made = await docker.post(f"containers/{handle}/exec", {"Cmd": ["touch", file]})
        await docker.post(f"exec/{made['Id']}/start", {"Detach": True})


@pytest.mark.parametrize("after_bytes", [250, 999, 1500])
async def test_a_read_log_that_is_cut_anywhere_goes_on_where_it_was(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts, after_bytes: int
) -> None:
    spec = attempts.shell(SLOW_LINES)
    await cut_engine.start(await cut_engine.create(spec))
    cutter.cut_answer("GET containers/.*/logs", after_bytes=after_bytes)

    outcome = await supervise(cut_engine, spec)

    assert (outcome.out, outcome.err) == (SLOW_OUT, SLOW_ERR)
    assert outcome.tries == 2


async def test_a_stream_cut_at_the_moment_of_the_end_is_completed(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    """A cut looks like an end: that the container has ended too does not prove that all its output came."""
    spec = attempts.shell("echo first; read x < /dev/null; echo last")
    head_of_answer_and_first_frame = 60
    cutter.cut_answer("POST containers/.*/attach", after_bytes=head_of_answer_and_first_frame)

    outcome = await supervise(cut_engine, spec)

    assert outcome.out == b"first\nlast\n"


async def test_answers_in_small_pieces_are_as_good(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    cutter.chop_bytes = 7
    spec = attempts.shell("head -c 40000 /dev/urandom | base64; echo; printf 'a\\0\\377' >&2; exit 3")

    outcome = await supervise(cut_engine, spec)

    assert (outcome.exit_code, outcome.err, len(outcome.out)) == (3, b"a\0\xff", 54_039)


async def test_while_the_daemon_is_away_nothing_is_known_and_afterwards_all(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    spec = attempts.shell("echo one; while ! [ -e /tmp/back ]; do sleep 0.05; done; echo two; exit 4")
    handle = await cut_engine.create(spec)
    read = b""
    with pytest.raises(EngineUnavailable):  # noqa: PT012 # the stream breaks while it is read
        async with cut_engine.logs(handle) as chunks:
            await cut_engine.start(handle)
            async for chunk in chunks:
                read += chunk.data
                await cutter.refuse()
                cutter.cut()
    for ask in (cut_engine.wait, cut_engine.inspect, cut_engine.remove, cut_engine.start):
        with pytest.raises(EngineUnavailable, match="connection to Docker failed"):
            await ask(handle)
    with pytest.raises(EngineUnavailable):
        await cut_engine.find(spec.attempt)
    with pytest.raises(EngineUnavailable):
        await cut_engine.stop(handle, grace=timedelta(seconds=1))

    await cutter.listen()
    await _touch(handle, "/tmp/back")
    async with cut_engine.logs(handle, since=LogCursor(stdout_bytes=len(read))) as chunks:
        rest = b"".join([chunk.data async for chunk in chunks])

    assert read + rest == b"one\ntwo\n"
    assert (await cut_engine.wait(handle)).exit_code == 4


async def test_a_wait_that_is_cut_says_so(cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts) -> None:
    handle = await cut_engine.create(attempts.shell("sleep 100"))
    await cut_engine.start(handle)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_unavailable(cut_engine.wait(handle)))
        await until(lambda: cutter.cut("POST containers/.*/wait"))

    assert "connection to Docker failed" in waiting.result()
    assert (await cut_engine.inspect(handle)).state is ContainerState.RUNNING


async def _unavailable(work: Coroutine[None, None, object]) -> str:
    with pytest.raises(EngineUnavailable) as raised:
        await work
    return raised.value.message


async def test_followers_that_leave_free_their_connections(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    handle = await cut_engine.create(attempts.shell("while :; do echo x; sleep 0.02; done"))
    await cut_engine.start(handle)

    async def follow() -> None:
        async with cut_engine.logs(handle) as chunks:
            async for _ in chunks:
                pass

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow()) for _ in range(20)]
        await until(lambda: cutter.open_for("/logs") == len(tasks))
        for task in tasks:
            task.cancel()
    for _ in range(20):
        async with cut_engine.logs(handle) as chunks:
            await anext(chunks)
    for _ in range(20):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.005):
                await cut_engine.wait(handle)

    await until(lambda: not cutter.open_for("/logs|/attach|/wait"))
    assert (await cut_engine.inspect(handle)).state is ContainerState.RUNNING


async def test_leaving_before_the_start_frees_the_connection(
    cutter: DockerCutter, cut_engine: DockerEngine, attempts: Attempts
) -> None:
    handle = await cut_engine.create(attempts.shell("true"))

    for _ in range(5):
        async with cut_engine.logs(handle):
            assert cutter.open_for("/attach") >= 1

    await until(lambda: not cutter.open_for("/attach"))


async def test_no_more_start_at_a_time_than_the_gate_lets_through(cutter: DockerCutter, attempts: Attempts) -> None:
    async with docker_engine(attempts, replace(QUICK, host=cutter.url, start_gate=2)) as engine:
        handles = [await engine.create(attempts.shell("true")) for _ in range(5)]

        async with asyncio.TaskGroup() as group:
            with cutter.holding("POST containers/.*/start"):
                starts = [group.create_task(engine.start(handle)) for handle in handles]
                await until(lambda: cutter.asked("/start") >= 2)
                await engine.inspect(handles[0])  # a round trip: time enough for a third to get through
                held = cutter.asked("/start")
                starts[4].cancel()

        assert held == 2
        assert cutter.asked("/start") == 4
        assert [(await engine.inspect(handle)).state is not ContainerState.CREATED for handle in handles] == [
            *[True] * 4,
            False,
        ]


async def test_an_unreachable_daemon_is_told_with_its_address_and_the_fix(cutter: DockerCutter) -> None:
    await cutter.refuse()

    with pytest.raises(EngineUnavailable, match=f"no Docker answers at {cutter.url}.*scheduler.docker.host"):
        async with create(replace(QUICK, host=cutter.url)):
            pass
