"""What should not happen, and happens: no fault of an engine, of a row or of ours takes the server or a container."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gofer.core.errors import EngineUnavailable, Unavailable
from gofer.core.events import RunCancelRequested, TaskRunStarted
from gofer.core.ids import RunKey, TaskId
from gofer.core.run import ReasonCode, RunState, TaskState
from gofer.services.runs import StartRun
from tests.factories import CLI
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.waiting import until
from tests.unit.workers.conftest import CALLER, World, container, next_event, open_world


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
    stop = f"stop {key.task(TaskId('hello'))}"
    await until(lambda: [task.get_name() for task in asyncio.all_tasks()].count(stop) == 2)
    await asyncio.sleep(0)  # the second has begun, too
    engine.let_give_up.set()
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert engine.starts == ()


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
    await until(lambda: len(engine.calls) >= 10)
    tries = len(engine.calls)  # two calls each time; the next ones come in more than a second

    await world.cancel(key)
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert len(engine.calls) == tries


async def test_a_task_whose_engine_is_not_installed_waits_for_it(world: World) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)
    await world.stop()
    world.engine.name = "gone"

    await world.start()
    await until(lambda: world.parts.troubles.notes() != ())
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
        await until(lambda: world.slots_waited_for() == 4)
        before = len(world.engine.starts)
        world.engine.release(world.engine.starts[0])
        await until(lambda: world.slots_waited_for() == 3 and len(world.engine.starts) > 2)
        after = len(world.engine.starts)
        await world.cancel(key, force=True)
        await world.until_over(key)
    assert (before, after) == (2, 3)


async def test_a_container_is_kept_while_its_runs_rows_cant_be_read(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hold", hold="true", log="before"))
    key = await started(world)
    await world.execute("ALTER TABLE task_runs RENAME TO hidden")
    await world.database.write(lambda unit: unit.record(cancel_requested(key)))
    await until(lambda: world.parts.troubles.notes() != ())
    engine.release(engine.starts[0], exit_code=7)
    await until(lambda: not world.parts.logs.is_written(key.task(TaskId("hold"))))
    await world.database.write(lambda _: None)  # what the exit leads to at once has been done, too
    assert engine.calls.count("remove") == 0

    await world.execute("ALTER TABLE hidden RENAME TO task_runs")
    await world.until_over(key)

    assert (await world.tasks(key))[TaskId("hold")].exit_code == 7
    assert world.parts.troubles.notes() == ()


def cancel_requested(key: RunKey) -> RunCancelRequested:
    return RunCancelRequested(namespace_id=key.namespace, pipeline_id=key.pipeline, run_id=key.run, force=0)


async def test_a_database_that_refuses_writes_for_a_while_loses_nothing(
    world: World, engine: FaultyEngine, tmp_path: Path
) -> None:
    await world.register(container("hold", hold="true", log="before"), container("next", needs=["hold"]))
    key = await started(world)
    await world.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "data" / "gofer.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine.write(engine.starts[0], b"meanwhile\n")
    engine.release(engine.starts[0])

    await until(lambda: world.parts.troubles.notes() != ())
    assert "run default/simple/1" in world.parts.troubles.notes()[0]
    assert await world.owned() == list(engine.starts)
    with pytest.raises(Unavailable):
        await world.start_run()

    other.close()
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert await world.log(key, "hold") == b"before\nmeanwhile\n"
    assert len(engine.starts) == 2
    assert world.parts.troubles.notes() == ()


async def test_an_engine_that_is_away_in_the_middle_of_a_launch_starts_it_once(
    world: World, engine: FaultyEngine
) -> None:
    await world.register(container("hello", log="hello world"))
    for call in ("create", "start", "wait", "remove"):
        engine.fail(call, EngineUnavailable("the reply was lost"), times=1)

    key = await world.start_run()
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert await world.log(key, "hello") == b"hello world\n"
    assert len(engine.starts) == 1


async def test_a_log_is_whole_when_the_engine_goes_and_comes_back(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hold", hold="true", log="one"))
    key = await started(world)
    for number in range(3):
        engine.disconnect()
        engine.write(engine.starts[0], b"while away %d\n" % number)
        await until(lambda: world.parts.troubles.notes() != ())
        engine.reconnect()
        await until(lambda: world.parts.troubles.notes() == ())
        engine.write(engine.starts[0], b"while here %d\n" % number)
    engine.release(engine.starts[0])
    (run,) = await world.until_over(key)

    whole = b"one\n" + b"".join(b"while away %d\nwhile here %d\n" % (number, number) for number in range(3))
    assert run.state is RunState.SUCCEEDED
    assert await world.log(key, "hold") == whole
    assert len(engine.starts) == 1


async def test_an_engine_that_is_away_leaves_what_runs_running_and_is_told(world: World, engine: FaultyEngine) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)

    engine.disconnect()
    await until(lambda: world.parts.troubles.notes() != ())

    (note,) = world.parts.troubles.notes()
    assert "task run default/simple/1/hold" in note
    assert "can't be reached" in note
    assert (await world.tasks(key))[TaskId("hold")].state is TaskState.RUNNING
    engine.reconnect()
    await until(lambda: world.parts.troubles.notes() == ())
    engine.release(engine.starts[0])
    assert [run.state for run in await world.until_over(key)] == [RunState.SUCCEEDED]


async def test_leftovers_of_an_engine_that_is_away_are_removed_when_it_is_back(
    world: World, engine: FaultyEngine
) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)
    await world.stop()
    await world.execute("UPDATE task_runs SET state = 'FAILED', ended_at = 1")
    await world.execute("UPDATE runs SET state = 'FAILED', ended_at = 1")
    assert len(await world.owned()) == 1
    engine.disconnect()

    await world.start()
    assert (await world.run(key)).state is RunState.FAILED
    engine.reconnect()
    await world.until_nothing_is_left()

    assert "remove" in engine.calls


async def test_a_log_that_cant_be_written_holds_the_end_up_until_it_can(
    world: World, engine: FaultyEngine, tmp_path: Path
) -> None:
    await world.register(container("hello", log="hello world"))
    folder = tmp_path / "logs" / "default" / "simple"
    folder.parent.mkdir(mode=0o700, parents=True)
    folder.parent.parent.chmod(0o700)
    folder.touch()  # a file where a folder must be
    key = await world.start_run()

    await until(lambda: world.parts.troubles.notes() != ())
    assert engine.calls.count("remove") == 0
    folder.unlink()
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert await world.log(key, "hello") == b"hello world\n"
    assert len(engine.starts) == 1


async def test_a_container_that_ran_and_is_as_new_is_not_started_again(world: World, engine: FaultyEngine) -> None:
    """An engine that forgets a start, as after a power failure, must not make the task run twice."""
    await world.register(container("hold", hold="true"))
    key = await started(world)
    await world.stop()
    attempt = engine.starts[0]
    spec = engine.spec_of(attempt)
    engine.lose(attempt)
    await engine.create(spec)

    await world.start()
    await world.until_over(key)

    task = (await world.tasks(key))[TaskId("hold")]
    assert task.reason is not None
    assert task.reason.code is ReasonCode.ORPHANED
    assert engine.starts == (attempt,)
    await world.until_nothing_is_left()


async def test_the_same_request_at_once_starts_one_run(world: World) -> None:
    await world.register(container("hello"))
    asked = StartRun(namespace="", pipeline="simple", variables={}, initiator=CLI, request_id="once")

    found = await asyncio.gather(*(world.runs.start(CALLER, asked) for _ in range(20)))

    assert {each.run.id for each in found} == {1}
    assert [each.existing for each in found].count(False) == 1
    await world.until_over(found[0].run.key)
    assert len(world.engine.starts) == 1


@pytest.mark.parametrize("force", [False, True])
async def test_a_cancel_in_the_moment_of_the_admission_is_never_lost(world: World, *, force: bool) -> None:
    await world.register(container("hold", hold="true", ignore_sigterm="true" if force else "false"))
    keys = []
    for pauses in range(30):
        key = await world.start_run()
        for _ in range(pauses):
            await asyncio.sleep(0)
        await world.cancel(key, force=force)
        keys.append(key)

    runs = await world.until_over(*keys)

    assert {run.state for run in runs} == {RunState.CANCELLED}
    assert len(set(world.engine.starts)) == len(world.engine.starts)
