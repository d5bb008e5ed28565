"""What should not happen, and happens: no fault of an engine, of a row or of ours takes the server or a container."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gofer.core.events import RunCancelRequested, TaskRunStarted
from gofer.core.ids import RunKey, TaskId
from gofer.core.run import ReasonCode, RunState, TaskRun, TaskState
from tests.fakes.faulty_engine import FaultyEngine
from tests.unit.workers.conftest import World, container, next_event, open_world


@pytest.fixture
def engine() -> FaultyEngine:
    return FaultyEngine()


@pytest.fixture
async def world(tmp_path: Path, engine: FaultyEngine) -> AsyncIterator[World]:
    async with open_world(tmp_path, engine=engine) as opened:
        yield opened


async def started(world: World) -> RunKey:
    """Start a run and wait until its first task runs."""
    with world.bus.subscribe(TaskRunStarted) as changes:
        key = await world.start_run()
        await next_event(changes, TaskRunStarted)
    return key


async def test_a_second_cancel_while_a_pull_gives_up_slowly_is_no_fault(world: World, engine: FaultyEngine) -> None:
    """A wait that is ending already can't be asked to end again: to try once ended the server."""
    await world.register(container("hello"))
    engine.let_pull, engine.let_give_up = asyncio.Event(), asyncio.Event()
    key = await world.start_run()
    await until(lambda: engine.calls.count("ensure_image") == 2)

    await world.cancel(key)
    await until(lambda: engine.giving_up > 0)
    await world.cancel(key, force=True)
    while not is_forced((await world.tasks(key))[TaskId("hello")]):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    engine.let_give_up.set()
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert engine.starts == ()


def is_forced(task_run: TaskRun) -> bool:
    return task_run.stop_request is not None and task_run.stop_request.force


async def test_a_fault_of_an_engines_stop_ends_no_server(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)
    engine.fail("stop", RuntimeError("a fault"), times=1)

    await world.cancel(key)
    (run,) = await world.until_over(key)

    assert run.state is not RunState.SUCCEEDED
    assert await world.owned() == []


async def test_a_fault_of_an_engines_images_fails_the_run_only(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hello"))
    engine.fail("ensure_image", RuntimeError("a fault"))
    key = await world.start_run()

    (run,) = await world.until_over(key)

    assert run.state is RunState.FAILED
    assert run.reason is not None
    assert run.reason.code is ReasonCode.INTERNAL_ERROR


async def test_a_cancel_is_done_at_once_while_the_engine_is_away(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hello"))
    engine.disconnect()
    key = await world.start_run()
    await asyncio.sleep(0.5)

    await world.cancel(key)
    async with asyncio.timeout(1):
        (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED


async def test_a_task_whose_engine_is_not_installed_waits_for_it(world: World) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)
    await world.stop()
    world.engine.name = "gone"

    await world.start()
    await asyncio.sleep(0.5)
    task = (await world.tasks(key))[TaskId("hold")]
    world.engine.name = "memory"
    await world.cancel(key)
    (run,) = await world.until_over(key)

    assert task.state is TaskState.RUNNING
    assert run.state is RunState.CANCELLED


async def test_tasks_that_waited_for_a_slot_wait_on_after_a_restart(tmp_path: Path) -> None:
    names = [f"task{number}" for number in range(6)]
    async with open_world(tmp_path, max_tasks=2) as world:
        await world.register(*(container(name, hold="true") for name in names))
        with world.bus.subscribe(TaskRunStarted) as changes:
            key = await world.start_run()
            await next_event(changes, TaskRunStarted)
            await next_event(changes, TaskRunStarted)
        await world.stop()
        await world.start()
        await asyncio.sleep(0.5)
        before = len(world.engine.starts)
        world.engine.release(world.engine.starts[0])
        await asyncio.sleep(0.3)
        after = len(world.engine.starts)
        await world.cancel(key, force=True)
        await world.until_over(key)
    assert (before, after) == (2, 3)


async def test_a_container_is_kept_while_its_runs_rows_cant_be_read(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hold", hold="true", log="before"))
    key = await started(world)
    await spoil(world, "UPDATE task_runs SET reason_code = 'no such reason'")
    await world.database.write(lambda unit: unit.record(cancel_requested(key)))
    await until(lambda: world.parts.troubles.notes() != ())
    engine.release(engine.starts[0], exit_code=7)
    await asyncio.sleep(0.3)
    assert engine.calls.count("remove") == 0

    await spoil(world, "UPDATE task_runs SET reason_code = NULL")
    await world.until_over(key)

    assert (await world.tasks(key))[TaskId("hold")].exit_code == 7
    assert world.parts.troubles.notes() == ()


def cancel_requested(key: RunKey) -> RunCancelRequested:
    return RunCancelRequested(namespace_id=key.namespace, pipeline_id=key.pipeline, run_id=key.run, force=0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that nothing tells of."""
    while not condition():
        await asyncio.sleep(0.01)


async def spoil(world: World, statement: str) -> None:
    await world.database.write(lambda unit: unit.runs._connection.execute(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET initiator_type = 'NOBODY' WHERE id = 1",
        "UPDATE runs SET variables = '{' WHERE id = 1",
        "UPDATE runs SET reason_code = 'no such reason' WHERE id = 1",
        "UPDATE task_runs SET reason_code = 'no such reason' WHERE run = 1",
    ],
)
@pytest.mark.parametrize("queued", [False, True])
async def test_a_broken_row_keeps_no_server_from_starting(
    world: World, engine: FaultyEngine, statement: str, *, queued: bool
) -> None:
    await world.register(container("hold", hold="true"), parallelism=0)
    if queued:
        await world.stop()
        await world.start_run()
    else:
        await started(world)
        await world.stop()
    await spoil(world, statement)

    await world.start()
    key = await world.start_run(GOFER_MEMORY_HOLD="false")
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED


@pytest.mark.parametrize("tasks", ["[", '[{"id":"hold","image":"x","depends_on":{"nobody":"SUCCESS"}}]'])
@pytest.mark.parametrize("queued", [False, True])
async def test_a_run_whose_config_is_broken_fails_and_lets_go(world: World, tasks: str, *, queued: bool) -> None:
    await world.register(container("hold", hold="true"), parallelism=1)
    if queued:
        await world.stop()
        key = await world.start_run()
    else:
        key = await started(world)
        await world.stop()
    await spoil(world, f"UPDATE pipeline_configs SET tasks = '{tasks}'")

    await world.start()
    (run,) = await world.until_over(key)

    assert run.state is RunState.FAILED
    assert await world.owned() == []
