"""Whole runs through the scheduler, the executor, the actors and the supervisors."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gofer.core.events import TaskRunStarted
from gofer.core.ids import TaskId
from gofer.core.pipeline import Requirement
from gofer.core.run import ReasonCode, RunState, TaskState
from gofer.lifecycle import running
from gofer.services.progress import RunProgress
from gofer.workers.dag_executor import DagExecutor
from gofer.workers.recovery import Recovery
from gofer.workers.slot_gate import SlotGate
from tests.fakes.waiting import until
from tests.unit.workers.conftest import GRACE, World, container, next_event, open_world


async def test_a_run_of_one_task_ends_successful_with_its_log(world: World) -> None:
    await world.register(container("hello", log="hello world"))

    key = await world.start_run()
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert (await world.tasks(key))[TaskId("hello")].exit_code == 0
    assert await world.log(key, "hello") == b"hello world\n"
    assert await world.kinds(key) == [
        "RUN_STARTED",
        "RUN_ADMITTED",
        "TASKRUN_CREATED",
        "TASKRUN_STARTED",
        "TASKRUN_COMPLETED",
        "RUN_COMPLETED",
    ]


async def test_a_run_just_stored_is_known_as_it_would_be_read(world: World) -> None:
    await world.register(container("hello"), parallelism=3)
    await world.stop()
    knowing = RunProgress(database=world.database, engine="memory", fresh=world.fresh)

    key = await world.start_run(WORD="value")

    assert world.fresh.find(key) is not None
    assert await knowing.queued([key]) == await world.progress.queued([key])
    assert await knowing.load(key) == await world.progress.load(key)
    assert world.fresh.find(key) is None


async def test_a_run_that_has_changed_since_it_was_stored_is_read(world: World) -> None:
    await world.register(container("hello"))
    await world.stop()
    knowing = RunProgress(database=world.database, engine="memory", fresh=world.fresh)
    key = await world.start_run()
    await world.cancel(key)
    executor = DagExecutor(bus=world.bus, progress=knowing, parts=world.parts)

    async with running(executor, grace=GRACE):
        executor.take(key)
        await until(lambda: len(executor) == 0)

    assert (await world.run(key)).state is RunState.CANCELLED
    assert await world.kinds(key) == ["RUN_STARTED", "RUN_COMPLETED"]
    assert world.engine.starts == ()


async def test_what_is_given_for_one_run_beats_the_config(world: World) -> None:
    await world.register(container("hello", exit_code="3"))

    key = await world.start_run(GOFER_MEMORY_EXIT_CODE="4")
    await world.until_over(key)

    assert (await world.tasks(key))[TaskId("hello")].exit_code == 4


async def test_dependents_run_or_are_skipped_as_their_requirement_says(world: World) -> None:
    await world.register(
        container("fails", exit_code="1"),
        container("cleanup", needs={"fails": Requirement.FAILURE}),
        container("report", needs={"fails": Requirement.ANY}),
        container("deploy", needs={"fails": Requirement.SUCCESS}),
        container("after", needs={"deploy": Requirement.ANY}),
    )

    key = await world.start_run()
    (run,) = await world.until_over(key)

    states = {task: found.state for task, found in (await world.tasks(key)).items()}
    assert run.state is RunState.FAILED
    assert states == {
        "fails": TaskState.FAILED,
        "cleanup": TaskState.SUCCEEDED,
        "report": TaskState.SUCCEEDED,
        "deploy": TaskState.SKIPPED,
        "after": TaskState.SUCCEEDED,
    }


@pytest.mark.parametrize("script", [{"fail_create": "no such thing"}, {"fail_start": "no such command"}])
async def test_a_refused_launch_fails_the_task_with_the_engines_words(world: World, script: dict[str, str]) -> None:
    await world.register(container("hello", **script))

    key = await world.start_run()
    (run,) = await world.until_over(key)

    task = (await world.tasks(key))[TaskId("hello")]
    assert run.state is RunState.FAILED
    assert task.reason is not None
    assert task.reason.code is ReasonCode.LAUNCH_FAILED
    assert next(iter(script.values())) in task.reason.description
    assert task.exit_code is None
    assert await world.owned() == []


async def test_a_reference_fails_the_task_before_it_starts(world: World) -> None:
    await world.register(container("hello", log="secret{{my_key}}"))

    key = await world.start_run()
    await world.until_over(key)

    task = (await world.tasks(key))[TaskId("hello")]
    assert task.reason is not None
    assert "my_key" in task.reason.description
    assert world.engine.starts == ()


async def test_a_cancel_stops_running_tasks_and_those_that_wait(world: World) -> None:
    await world.register(container("first", hold="true"), container("second", needs=["first"]))
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await world.start_run()
        await next_event(started, TaskRunStarted)

        await world.cancel(key)
    (run,) = await world.until_over(key)

    states = {task: found.state for task, found in (await world.tasks(key)).items()}
    assert run.state is RunState.CANCELLED
    assert states == {"first": TaskState.CANCELLED, "second": TaskState.CANCELLED}


async def test_force_kills_what_ignores_a_gentle_stop(world: World) -> None:
    await world.register(container("stubborn", hold="true", ignore_sigterm="true"))
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await world.start_run()
        await next_event(started, TaskRunStarted)
        await world.cancel(key)

        await world.cancel(key, force=True)
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert (await world.tasks(key))[TaskId("stubborn")].exit_code == 137


async def test_a_cancelled_task_leaves_the_others_alone(world: World) -> None:
    await world.register(container("one", hold="true"), container("two", log="fine"))
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await world.start_run()
        await next_event(started, TaskRunStarted, lambda event: getattr(event, "task_run_id", "") == "one")

        await world.cancel_task(key, "one")
    (run,) = await world.until_over(key)

    states = {task: found.state for task, found in (await world.tasks(key)).items()}
    assert run.state is RunState.CANCELLED
    assert states == {"one": TaskState.CANCELLED, "two": TaskState.SUCCEEDED}


async def test_a_full_pipeline_queues_its_runs_in_their_order(world: World) -> None:
    await world.register(container("hold", hold="true"), parallelism=1)
    with world.bus.subscribe(TaskRunStarted) as started:
        first = await world.start_run()
        second = await world.start_run(GOFER_MEMORY_HOLD="false")
        await next_event(started, TaskRunStarted)
        assert (await world.run(second)).state is RunState.PENDING

        await world.cancel(first)
    runs = await world.until_over(first, second)

    assert [run.state for run in runs] == [RunState.CANCELLED, RunState.SUCCEEDED]


async def test_a_follower_of_a_queued_run_waits_for_its_log(world: World) -> None:
    await world.register(container("hold", hold="true", log="here"), parallelism=1)
    first = await world.start_run()
    second = await world.start_run(GOFER_MEMORY_HOLD="false")
    async with asyncio.TaskGroup() as group:
        log = group.create_task(world.log(second, "hold"), name="follower")
        await world.cancel(first)

    assert log.result() == b"here\n"


async def test_a_follower_of_a_run_that_is_cancelled_in_the_queue_ends(world: World) -> None:
    await world.register(container("hold", hold="true"), parallelism=1)
    first = await world.start_run()
    second = await world.start_run()
    async with asyncio.TaskGroup() as group:
        log = group.create_task(world.log(second, "hold"), name="follower")
        await world.cancel(second)

    assert log.result() == b""
    await world.cancel(first)
    await world.until_over(first)


async def test_a_queued_run_is_cancelled_at_once(world: World) -> None:
    await world.register(container("hold", hold="true"), parallelism=1)
    first = await world.start_run()
    second = await world.start_run()

    await world.cancel(second)

    assert (await world.run(second)).state is RunState.CANCELLED
    await world.cancel(first)
    await world.until_over(first)


async def test_slots_bound_the_containers_of_the_server(tmp_path: Path) -> None:
    async with open_world(tmp_path, max_tasks=1) as world:
        await world.register(container("one", hold="true"), container("two", hold="true"))
        with world.bus.subscribe(TaskRunStarted) as started:
            key = await world.start_run()
            first = await next_event(started, TaskRunStarted)
            before = len(world.engine.starts)

            await world.cancel_task(key, getattr(first, "task_run_id", ""))
            await next_event(started, TaskRunStarted)
            after = len(world.engine.starts)
            await world.cancel(key)
        await world.until_over(key)
    assert (before, after) == (1, 2)


async def test_a_container_of_before_a_restart_has_its_slot_before_anybody_else_gets_one(tmp_path: Path) -> None:
    """Runs are taken up side by side: what waits for a slot may ask before the run that holds it was read."""
    async with open_world(tmp_path, max_tasks=1) as world:
        await world.register(container("hold", hold="true"))
        with world.bus.subscribe(TaskRunStarted) as started:
            key = await world.start_run()
            await next_event(started, TaskRunStarted)
        await world.stop()
        slots = SlotGate(1)
        parts = replace(world.parts, slots=slots)
        recovery = Recovery(engine="memory", progress=world.progress, parts=parts)

        async with running(recovery, grace=GRACE), asyncio.TaskGroup() as group:
            other = group.create_task(slots.acquire(key.task(TaskId("other"))), name="other")
            await asyncio.sleep(0)
            waited = not other.done()
            slots.release(key.task(TaskId("hold")))

    assert waited


async def test_a_task_that_waited_for_a_slot_before_a_restart_waits_for_it_again(tmp_path: Path) -> None:
    async with open_world(tmp_path, max_tasks=1) as world:
        await world.register(container("one", hold="true"), container("two", hold="true"))
        with world.bus.subscribe(TaskRunStarted) as started:
            key = await world.start_run()
            first = getattr(await next_event(started, TaskRunStarted), "task_run_id", "")
            await world.stop()
            await world.start()
            await world.cancel_task(key, first)
            second = getattr(await next_event(started, TaskRunStarted), "task_run_id", "")
            await world.cancel(key)
        await world.until_over(key)

    assert {"one", "two"} == {first, second}
    assert len(world.engine.starts) == 2


async def test_a_running_task_is_taken_up_again_after_a_restart(world: World) -> None:
    await world.register(container("hold", hold="true", log="before"))
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await world.start_run()
        await next_event(started, TaskRunStarted)
    await world.stop()
    (attempt,) = world.engine.starts
    world.engine.write(attempt, b"meanwhile\n")
    world.engine.release(attempt, exit_code=7)

    await world.start()
    (run,) = await world.until_over(key)

    assert run.state is RunState.FAILED
    assert (await world.tasks(key))[TaskId("hold")].exit_code == 7
    assert await world.log(key, "hold") == b"before\nmeanwhile\n"
    assert len(world.engine.starts) == 1


async def test_a_task_that_wrote_nothing_has_an_empty_log(world: World) -> None:
    await world.register(container("quiet"))

    key = await world.start_run()
    await world.until_over(key)

    assert await world.log(key, "quiet") == b""
    assert (await world.tasks(key))[TaskId("quiet")].silent


async def test_what_the_engine_does_not_know_any_more_is_orphaned(world: World) -> None:
    await world.register(container("hold", hold="true"))
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await world.start_run()
        await next_event(started, TaskRunStarted)
    await world.stop()
    world.engine.lose(world.engine.starts[0])

    await world.start()
    await world.until_over(key)

    task = (await world.tasks(key))[TaskId("hold")]
    assert task.state is TaskState.FAILED
    assert task.reason is not None
    assert task.reason.code is ReasonCode.ORPHANED
    assert await world.log(key, "hold") == b""
