"""Runs that nobody looks after, though they have not ended."""

import pytest

from gofer.core.access import Caller
from gofer.core.errors import NotFound, PermissionDenied
from gofer.core.run import ReasonCode, RunState
from gofer.services.runs import Target
from tests.factories import KEY
from tests.unit.workers.conftest import CALLER, World, container


def target(run: int = 1) -> Target:
    return Target(namespace="", pipeline=KEY.pipeline, run=run)


async def test_a_queued_run_that_was_forgotten_is_admitted(world: World) -> None:
    await world.register(container("one"))
    key = await world.start_run()
    await world.until_over(key)
    await world.execute("DELETE FROM task_runs")
    await world.execute("UPDATE runs SET state = 'PENDING', admitted_at = NULL, ended_at = NULL")

    await world.runs.repair(CALLER, target())

    (run,) = await world.until_over(key)
    assert run.state is RunState.SUCCEEDED
    assert len(world.engine.starts) == 2


async def test_a_live_run_that_was_forgotten_is_brought_to_its_end(world: World) -> None:
    """Its container is gone, as nobody looked after it."""
    await world.register(container("one"))
    key = await world.start_run()
    await world.until_over(key)
    await world.until_nothing_is_left()
    await world.execute("UPDATE task_runs SET state = 'RUNNING', ended_at = NULL, exit_code = NULL")
    await world.execute("UPDATE runs SET state = 'RUNNING', ended_at = NULL")

    await world.runs.repair(CALLER, target())

    (run,) = await world.until_over(key)
    (task_run,) = (await world.tasks(key)).values()
    assert run.state is RunState.FAILED
    assert task_run.reason is not None
    assert task_run.reason.code is ReasonCode.ORPHANED


async def test_a_run_that_is_looked_after_goes_on_and_starts_nothing_twice(world: World) -> None:
    await world.register(container("one", needs=[]), container("two", needs=["one"]))
    key = await world.start_run()
    for _ in range(3):
        await world.runs.repair(CALLER, target())

    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED
    assert len(world.engine.starts) == len(set(world.engine.starts)) == 2


async def test_what_has_ended_stays_as_it_is(world: World) -> None:
    await world.register(container("one"))
    key = await world.start_run()
    before = await world.until_over(key)
    kinds = await world.kinds(key)

    await world.runs.repair(CALLER, target())

    assert before == [await world.run(key)]
    assert kinds == await world.kinds(key)


async def test_only_an_admin_may_ask_and_the_run_must_be_there(world: World) -> None:
    await world.register(container("one"))

    with pytest.raises(NotFound):
        await world.runs.repair(CALLER, target(7))
    with pytest.raises(PermissionDenied):
        await world.runs.repair(Caller(name="stranger", is_admin=False), target())
