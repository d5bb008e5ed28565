"""Timeouts of tasks and runs, also over a restart; times are moved in the store, so that nothing waits for them."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gofer.core.events import TaskRunStarted
from gofer.core.ids import RunKey, TaskId
from gofer.core.pipeline import Requirement, Task
from gofer.core.run import ReasonCode, RunState, TaskRun, TaskState
from gofer.core.step import ArmDeadline, ArmTaskDeadline, DeadlinePassed, Signal, TaskDeadlinePassed
from gofer.core.times import TICK
from gofer.engines.scheduler.memory import MemoryEngine
from gofer.lifecycle import owned_tasks
from gofer.services.runs import StartRun
from gofer.workers.deadlines import Deadlines
from tests.factories import CLI, KEY, run_key
from tests.fakes.clock import FakeClock
from tests.unit.workers.conftest import CALLER, World, container, next_event, open_world

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=1)


class SetBack(FakeClock):
    """A clock whose wall time is behind `by` so much."""

    by = timedelta()

    def now(self) -> datetime:
        return super().now() - self.by


def timed(task: Task, timeout: timedelta = HOUR) -> Task:
    return replace(task, timeout=timeout)


async def start(world: World, run_timeout: str) -> RunKey:
    command = StartRun(namespace="", pipeline=KEY.pipeline, variables={}, initiator=CLI, timeout=run_timeout)
    return (await world.runs.start(CALLER, command)).run.key


async def begun(world: World, run_timeout: str = "") -> RunKey:
    with world.bus.subscribe(TaskRunStarted) as started:
        key = await start(world, run_timeout)
        await next_event(started, TaskRunStarted)
    return key


def end_of(found: TaskRun) -> tuple[TaskState, ReasonCode | None]:
    return found.state, found.reason.code if found.reason else None


async def test_a_task_that_runs_longer_than_its_timeout_fails_and_its_container_goes(world: World) -> None:
    await world.register(
        timed(container("long", hold="true"), SOON),
        container("mends", needs={"long": Requirement.FAILURE}),
        container("goes_on", needs=["long"]),
    )

    (run,) = await world.until_over(await world.start_run())

    ends = {str(task): end_of(found) for task, found in (await world.tasks(run.key)).items()}
    assert ends["long"] == (TaskState.FAILED, ReasonCode.TIMED_OUT)
    assert (ends["mends"][0], ends["goes_on"][0]) == (TaskState.SUCCEEDED, TaskState.SKIPPED)
    assert (run.state, run.reason and run.reason.code) == (RunState.FAILED, ReasonCode.ABNORMAL_EXIT)
    await world.until_nothing_is_left()


async def test_a_run_that_takes_longer_than_its_timeout_ends_what_is_left(world: World) -> None:
    await world.register(container("long", hold="true"), container("waits", needs=["long"]))

    (run,) = await world.until_over(await start(world, "1ms"))

    ends = {str(task): end_of(found) for task, found in (await world.tasks(run.key)).items()}
    assert ends == {
        "long": (TaskState.FAILED, ReasonCode.TIMED_OUT),
        "waits": (TaskState.CANCELLED, ReasonCode.TIMED_OUT),
    }
    assert run.reason is not None
    assert (run.state, run.reason.description) == (RunState.FAILED, "the run took longer than its timeout of 1ms")


async def test_a_timeout_that_passed_while_the_server_was_away_is_kept_at_the_next_start(tmp_path: Path) -> None:
    clock = FakeClock()
    async with open_world(tmp_path, engine=MemoryEngine(clock=clock)) as world:
        await world.register(timed(container("long", hold="true")))
        key = await begun(world)
        await world.stop()
        await clock.advance(2 * HOUR)
        await world.execute("UPDATE task_runs SET started_at = started_at - 7200000")

        await world.start()
        (run,) = await world.until_over(key)

        assert run.state is RunState.FAILED
        assert end_of((await world.tasks(key))[TaskId("long")]) == (TaskState.FAILED, ReasonCode.TIMED_OUT)
        assert len(world.engine.starts) == 1


async def test_what_ended_in_time_while_the_server_was_away_is_not_late(world: World) -> None:
    await world.register(timed(container("long", hold="true")))
    key = await begun(world)
    await world.stop()
    (attempt,) = await world.owned()
    world.engine.release(attempt)
    await world.execute("UPDATE task_runs SET started_at = started_at - 7200000")

    await world.start()
    (run,) = await world.until_over(key)

    assert (run.state, run.reason) == (RunState.SUCCEEDED, None)
    assert end_of((await world.tasks(key))[TaskId("long")]) == (TaskState.SUCCEEDED, None)


async def test_the_queue_is_not_counted(world: World) -> None:
    await world.register(container("long", hold="true"), parallelism=1)
    first = await begun(world)
    second = await start(world, "1ms")

    await world.cancel(first)
    runs = await world.until_over(first, second)

    assert runs[1].reason is not None
    assert (runs[1].state, runs[1].reason.code) == (RunState.FAILED, ReasonCode.TIMED_OUT)
    assert runs[1].admitted_at is not None
    assert runs[1].admitted_at >= runs[1].created_at


async def test_each_deadline_is_posted_once_and_none_of_what_has_ended() -> None:
    clock = FakeClock()
    posted: list[Signal] = []
    ends, late, done = (TaskId(name) for name in ("ends", "late", "done"))
    async with owned_tasks() as tasks:
        deadlines = Deadlines(key=run_key(), clock=clock, spawn=tasks.spawn, post=posted.append)
        for _ in range(2):
            deadlines.arm(ArmDeadline(at=clock.now() + 3 * HOUR))
            for task in (ends, late, done):
                deadlines.arm(ArmTaskDeadline(task=task, at=clock.now() + HOUR))
        await clock.sleepers(4)
        deadlines.ended(done)
        await clock.advance(2 * HOUR)
        deadlines.ended(ends)
        deadlines.arm(ArmTaskDeadline(task=late, at=clock.now()))
        await clock.advance(2 * HOUR)
        deadlines.over()

    assert posted == [TaskDeadlinePassed(task=ends), TaskDeadlinePassed(task=late), DeadlinePassed()]


async def test_a_deadline_passes_a_tick_after_its_time_and_waits_for_a_clock_that_was_set_back() -> None:
    clock = SetBack()
    posted: list[Signal] = []
    async with owned_tasks() as tasks:
        deadlines = Deadlines(key=run_key(), clock=clock, spawn=tasks.spawn, post=posted.append)
        deadlines.arm(ArmDeadline(at=clock.now() + HOUR))
        await clock.sleepers(1)
        clock.by = HOUR
        await clock.advance(2 * HOUR)
        told_at_its_time = list(posted)
        await clock.advance(TICK)

    assert (told_at_its_time, posted) == ([], [DeadlinePassed()])
