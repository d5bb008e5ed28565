"""How much work it is to stop many tasks one by one."""

import asyncio
from datetime import timedelta
from pathlib import Path

from gofer.clock import SystemClock
from gofer.core.events import TaskRunStarted
from gofer.core.run import RunState
from gofer.engines.protocols import ContainerHandle
from gofer.engines.scheduler.memory import MemoryEngine
from tests.fakes.waiting import until
from tests.unit.workers.conftest import container, next_event, open_world

TASKS = 12


class SlowEngine(MemoryEngine):
    """Counts what it is asked to stop, and takes its time."""

    def __init__(self) -> None:
        super().__init__(clock=SystemClock())
        self.stops: list[timedelta] = []
        self.let_stop = asyncio.Event()

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        self.stops.append(grace)
        await self.let_stop.wait()
        await super().stop(handle, grace=grace)

    async def has_stopped(self, count: int) -> None:
        """Wait until so many stops were asked for."""
        await until(lambda: len(self.stops) >= count)


async def test_each_task_that_is_stopped_by_force_is_stopped_once(tmp_path: Path) -> None:
    """Each request had the engine asked again for all that had been stopped before: N requests made N²/2 stops."""
    engine = SlowEngine()
    async with open_world(tmp_path, engine=engine) as world:
        names = [f"task{number:02}" for number in range(TASKS)]
        await world.register(*(container(name, hold="true") for name in names))
        with world.bus.subscribe(TaskRunStarted) as started:
            key = await world.start_run()
            for _ in names:
                await next_event(started, TaskRunStarted)

        for number, name in enumerate(names, 1):
            await world.cancel_task(key, name, force=True)
            await engine.has_stopped(number)
        await world.cancel(key)
        engine.let_stop.set()
        (run,) = await world.until_over(key)

    assert RunState.CANCELLED is run.state
    assert [timedelta()] * TASKS == engine.stops
