"""The stock tests of every worker: started and stopped often, cancelled while it starts, stopped before it runs."""

from collections.abc import Callable

import pytest

from gofer.clock import SystemClock
from gofer.core.run import RunState
from gofer.lifecycle import Worker
from gofer.workers.dag_executor import DagExecutor
from gofer.workers.recovery import Recovery
from gofer.workers.run_scheduler import RunScheduler
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run
from tests.unit.workers.conftest import World, container

Make = Callable[[], Worker]


@pytest.fixture(params=["executor", "scheduler", "recovery"])
def make(request: pytest.FixtureRequest, world: World) -> Make:
    def executor() -> Worker:
        return DagExecutor(bus=world.bus, progress=world.progress, parts=world.parts)

    def scheduler() -> Worker:
        return RunScheduler(
            bus=world.bus, progress=world.progress, take=lambda _: None, parallelism_limit=0, clock=SystemClock()
        )

    def recovery() -> Worker:
        return Recovery(engine="memory", progress=world.progress, parts=world.parts)

    return {"executor": executor, "scheduler": scheduler, "recovery": recovery}[request.param]


async def test_a_worker_starts_and_stops_any_number_of_times(make: Make, world: World) -> None:
    await world.stop()
    await start_stop_stress(make, times=30)


async def test_a_worker_cancelled_while_it_starts_leaves_nothing(make: Make, world: World) -> None:
    await world.stop()
    await cancel_during_start(make)


async def test_a_worker_stopped_before_it_runs_returns(make: Make) -> None:
    await stop_before_run(make)


async def test_a_restart_at_any_moment_loses_no_run_and_starts_none_twice(world: World) -> None:
    await world.register(container("one", log="1"), container("two", log="2", needs=["one"]))
    keys = []
    for _ in range(10):
        keys.append(await world.start_run())
        await world.stop()
        await world.start()

    runs = await world.until_over(*keys)

    assert [run.state for run in runs] == [RunState.SUCCEEDED] * len(keys)
    assert len(world.engine.starts) == len(set(world.engine.starts)) == 2 * len(keys)
    await world.stop()
    await world.start()
    assert await world.owned() == []
