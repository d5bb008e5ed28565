import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gofer.core.errors import EngineUnavailable, FailedPrecondition, NotFound
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.core.output import LogStream
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ContainerState, ImageSpec, SchedulerEngine
from gofer.engines.scheduler.memory import MemoryEngine, create
from tests.fakes.clock import BEGINNING, FakeClock

KEY = TaskRunKey(namespace=NamespaceId("default"), pipeline=PipelineId("pipe"), run=RunId(1), task=TaskId("task"))
ATTEMPT = AttemptId(key=KEY, number=1, instance=InstanceId("here"))
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def engine(clock: FakeClock) -> AsyncIterator[MemoryEngine]:
    async with MemoryEngine(clock=clock) as entered:
        yield entered


async def made(engine: MemoryEngine, **script: str) -> ContainerHandle:
    environment = {f"GOFER_MEMORY_{key}": value for key, value in script.items()}
    return await engine.create(
        ContainerSpec(attempt=ATTEMPT, name="x", image=ImageSpec(name="busybox"), environment=environment)
    )


async def read(engine: MemoryEngine, handle: ContainerHandle) -> bytes:
    async with engine.logs(handle) as chunks:
        return b"".join([chunk.data async for chunk in chunks])


def test_it_is_a_scheduler_engine(clock: FakeClock) -> None:
    engine: SchedulerEngine = MemoryEngine(clock=clock)

    assert engine.name == "memory"


async def test_the_factory_gives_one_that_uses_real_time() -> None:
    async with create({}) as engine:
        handle = await made(engine, SLEEP="1ms", EXIT_CODE="3")
        await engine.start(handle)

        assert (await engine.wait(handle)).exit_code == 3


async def test_a_sleeping_container_ends_by_the_clock(engine: MemoryEngine, clock: FakeClock) -> None:
    handle = await made(engine, SLEEP="10s", EXIT_CODE="4")
    await engine.start(handle)
    await clock.sleepers(1)

    await clock.advance(9 * SECOND)
    before = await engine.inspect(handle)
    await clock.advance(SECOND)
    result = await engine.wait(handle)

    assert before.state is ContainerState.RUNNING
    assert (result.exit_code, result.started_at, result.ended_at) == (4, BEGINNING, BEGINNING + 10 * SECOND)


async def test_a_held_container_runs_until_it_is_released(engine: MemoryEngine) -> None:
    handle = await made(engine, HOLD="true")
    await engine.start(handle)
    running = await engine.inspect(handle)

    engine.release(ATTEMPT, exit_code=9)

    assert running.state is ContainerState.RUNNING
    assert (await engine.wait(handle)).exit_code == 9


async def test_what_a_test_writes_is_followed(engine: MemoryEngine) -> None:
    handle = await made(engine, HOLD="true", LOG="first")
    await engine.start(handle)

    async with engine.logs(handle) as chunks:
        first = await anext(chunks)
        engine.write(ATTEMPT, b"second", stream=LogStream.STDERR)
        second = await anext(chunks)
        engine.release(ATTEMPT)
        rest = [chunk async for chunk in chunks]

    assert (first.data, second.data, second.stream, rest) == (b"first\n", b"second", LogStream.STDERR, [])


async def test_refusals_use_the_scripts_words(engine: MemoryEngine) -> None:
    with pytest.raises(FailedPrecondition, match="no room"):
        await made(engine, FAIL_CREATE="no room")
    assert await engine.find(ATTEMPT) is None

    handle = await made(engine, FAIL_START="no such command")
    with pytest.raises(FailedPrecondition, match="no such command"):
        await engine.start(handle)

    assert engine.starts == ()


async def test_a_missing_image_is_not_found(engine: MemoryEngine) -> None:
    with pytest.raises(NotFound, match=r"missing\.invalid/x"):
        await engine.ensure_image(ImageSpec(name="missing.invalid/x"), progress=lambda _: None)


async def test_every_start_is_kept_once(engine: MemoryEngine) -> None:
    handle = await made(engine)

    await engine.start(handle)
    await engine.start(handle)

    assert engine.starts == (ATTEMPT,)


async def test_a_lost_container_ends_whoever_waits_for_it(engine: MemoryEngine) -> None:
    handle = await made(engine, HOLD="true")
    await engine.start(handle)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(refused(engine.wait(handle)))
        reading = group.create_task(refused(read(engine, handle)))
        await asyncio.sleep(0)
        engine.lose(ATTEMPT)

    assert [type(each.result()) for each in (waiting, reading)] == [NotFound, NotFound]
    assert await engine.find(ATTEMPT) is None


async def test_a_disconnected_engine_refuses_everybody_and_its_containers_go_on(
    engine: MemoryEngine, clock: FakeClock
) -> None:
    handle = await made(engine, SLEEP="5s")
    await engine.start(handle)
    await clock.sleepers(1)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(refused(engine.wait(handle)))
        await asyncio.sleep(0)
        engine.disconnect()
    for call in (engine.find(ATTEMPT), engine.inspect(handle), engine.remove(handle), engine.start(handle)):
        with pytest.raises(EngineUnavailable):
            await call
    await clock.advance(5 * SECOND)
    engine.reconnect()

    assert isinstance(waiting.result(), EngineUnavailable)
    assert (await engine.wait(handle)).exit_code == 0


async def test_containers_outlive_a_leave_and_end_in_time_after_it(clock: FakeClock) -> None:
    engine = MemoryEngine(clock=clock)
    async with engine:
        handle = await made(engine, SLEEP="10s", EXIT_CODE="5")
        await engine.start(handle)
        await clock.sleepers(1)
        await clock.advance(4 * SECOND)
    with pytest.raises(EngineUnavailable):
        await engine.find(ATTEMPT)

    async with engine:
        await clock.sleepers(1)
        await clock.advance(6 * SECOND)
        result = await engine.wait(handle)

    assert (result.exit_code, result.ended_at) == (5, BEGINNING + 10 * SECOND)


async def test_what_ignores_sigterm_is_killed_after_the_grace(engine: MemoryEngine, clock: FakeClock) -> None:
    handle = await made(engine, HOLD="true", IGNORE_SIGTERM="true")
    await engine.start(handle)

    async with asyncio.TaskGroup() as group:
        group.create_task(engine.stop(handle, grace=3 * SECOND))
        await clock.sleepers(1)
        await clock.advance(2 * SECOND)
        before = await engine.inspect(handle)
        await clock.advance(SECOND)

    assert before.state is ContainerState.RUNNING
    assert (await engine.inspect(handle)).exit_code == 137


async def test_the_environment_can_be_looked_at(engine: MemoryEngine) -> None:
    await made(engine, LOG="hello")

    assert engine.environment_of(ATTEMPT) == {"GOFER_MEMORY_LOG": "hello"}


async def refused(work: object) -> Exception | None:
    assert asyncio.iscoroutine(work)
    try:
        await work
    except (NotFound, EngineUnavailable) as error:
        return error
    return None
