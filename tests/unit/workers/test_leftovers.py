"""Containers that nobody holds any more go: of this server, of attempts that have ended, and no others."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gofer.core.errors import EngineUnavailable, FailedPrecondition
from gofer.core.ids import AttemptId, InstanceId
from gofer.services.pruning import PruneStep
from gofer.workers.leftovers import LeftoverContainers
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.waiting import until
from tests.unit.workers.conftest import World, container, open_world

HELD = container("held", hold="true")


@pytest.fixture
def engine() -> FaultyEngine:
    return FaultyEngine()


@pytest.fixture
async def world(tmp_path: Path, engine: FaultyEngine) -> AsyncIterator[World]:
    async with open_world(tmp_path, engine=engine) as opened:
        yield opened


async def leftovers(
    world: World, *, wanted: Callable[[str], bool] = lambda _: True, steps: list[PruneStep] | None = None
) -> LeftoverContainers:
    return LeftoverContainers(
        engine_of=world.engine_of,
        wanted=wanted,
        progress=world.progress,
        instance=await world.database.read(lambda unit: unit.meta.instance_id()),
        observe=(steps if steps is not None else []).append,
    )


async def abandon(world: World, count: int) -> None:
    """Leave containers of runs that have ended, which the engine would not let go of."""
    await world.register(HELD)
    for _ in range(count):
        await world.start_run()
    await until(lambda: len(world.engine.starts) == count)
    await world.stop()
    await world.execute("UPDATE task_runs SET state = 'FAILED', ended_at = 1")
    await world.execute("UPDATE runs SET state = 'FAILED', ended_at = 1")


async def test_what_ended_attempts_left_goes_some_at_a_time(world: World) -> None:
    await abandon(world, 25)
    steps: list[PruneStep] = []
    job = await leftovers(world, steps=steps)

    first = await job.run_once()
    left = len(await world.owned())
    second = await job.run_once()

    assert (True, 5, False) == (first, left, second)
    assert [] == await world.owned()
    assert [PruneStep.CONTAINERS] * 2 == steps


async def test_what_a_live_task_run_holds_stays_and_so_does_another_servers(world: World, engine: FaultyEngine) -> None:
    await world.register(HELD)
    key = await world.start_run()
    await until(lambda: len(world.engine.starts) == 1)
    (attempt,) = await world.owned()
    stranger = AttemptId(key=attempt.key, number=1, instance=InstanceId("another"))
    await engine.create(replace(engine.spec_of(attempt), attempt=stranger, name="another"))

    assert not await (await leftovers(world)).run_once()

    assert [attempt] == await world.owned()
    assert await engine.find(stranger) is not None
    await world.cancel(key, force=True)
    await world.until_over(key)


async def test_an_engine_that_is_not_wanted_is_not_asked(world: World) -> None:
    await abandon(world, 1)

    assert not await (await leftovers(world, wanted=lambda name: name != "memory")).run_once()

    assert 1 == len(await world.owned())


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("owned", EngineUnavailable("nobody is there")),
        ("remove", EngineUnavailable("gone in the middle")),
        ("remove", FailedPrecondition("it is busy")),
        ("owned", OSError("no route")),
    ],
)
async def test_an_engine_that_fails_is_left_for_another_time(
    call: str, error: Exception, world: World, engine: FaultyEngine
) -> None:
    await abandon(world, 2)
    engine.fail(call, error)
    job = await leftovers(world)

    assert not await job.run_once()
    engine.faults.clear()
    await job.run_once()

    assert [] == await world.owned()
