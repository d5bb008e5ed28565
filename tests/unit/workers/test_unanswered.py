"""A database that stores what it is given and can't tell: nothing is lost by it, and nothing done twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.core.errors import Unavailable
from gofer.core.events import TaskRunStarted
from gofer.core.ids import RunKey, TaskId
from gofer.core.run import Run, RunState, TaskState
from gofer.core.step import Effect, Step
from gofer.services.progress import RunProgress
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from tests.unit.workers.conftest import World, container, next_event, open_world


class UnansweredProgress(RunProgress):
    """Stores every step, and says of each but one that is stored again that it may not have been."""

    def __init__(self, *, database: Database[Unit], engine: str) -> None:
        super().__init__(database=database, engine=engine)
        self._known: set[tuple[Effect, ...]] = set()

    async def store(self, run: Run, step: Step) -> Run:
        stored = await super().store(run, step)
        if step.effects in self._known:
            return stored
        if step.effects:
            self._known.add(step.effects)
        raise Unavailable("the server can't tell whether the change was stored")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        await opened.stop()
        opened.progress = UnansweredProgress(database=opened.database, engine="memory")
        await opened.start()
        yield opened


async def started(world: World) -> RunKey:
    with world.bus.subscribe(TaskRunStarted) as changes:
        key = await world.start_run()
        await next_event(changes, TaskRunStarted)
    return key


async def test_a_run_comes_to_its_end_and_each_task_runs_once(world: World) -> None:
    await world.register(container("first", log="one"), container("second", needs=["first"], log="two"))

    key = await world.start_run()
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert [each.key.task for each in world.engine.starts] == ["first", "second"]
    assert await world.log(key, "second") == b"two\n"
    await world.until_nothing_is_left()


async def cancel(world: World, key: RunKey) -> None:
    await world.cancel(key)


async def cancel_task(world: World, key: RunKey) -> None:
    await world.cancel_task(key, "hold")


@pytest.mark.parametrize("ask", [cancel, cancel_task])
async def test_what_was_asked_to_stop_is_stopped(world: World, ask: Callable[[World, RunKey], Awaitable[None]]) -> None:
    await world.register(container("hold", hold="true"))
    key = await started(world)

    await ask(world, key)
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    await world.until_nothing_is_left()


async def test_what_would_not_stop_is_killed_when_that_is_asked_for(world: World) -> None:
    await world.register(container("hold", hold="true", ignore_sigterm="true"))
    key = await started(world)

    await world.cancel(key)
    await world.cancel(key, force=True)
    (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED


async def test_what_runs_too_long_is_stopped(world: World) -> None:
    await world.register(replace(container("hold", hold="true"), timeout=timedelta(milliseconds=50)))

    key = await world.start_run()
    (run,) = await world.until_over(key)

    assert run.state is RunState.FAILED
    assert (await world.tasks(key))[TaskId("hold")].state is TaskState.FAILED
