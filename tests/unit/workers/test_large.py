"""Runs of very many tasks: what is decided for all of them at once must not hold up everybody else."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import pytest

from gofer.core.events import RunAdmitted
from gofer.core.machine import apply, decide
from gofer.core.run import Plan, Progress, RunState, StopRequest
from gofer.core.step import Admitted, CancelRequested
from tests.factories import NOW, make_run
from tests.unit.workers.conftest import container, next_event, open_world

TASKS = 8_000


class Watch:
    """Looks every millisecond how long the loop worked and let nobody else in, by the clock of its own thread.

    What other threads and other programs take meanwhile is not the loop's doing.
    """

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._last = time.thread_time()
        self._handle = self._loop.call_soon(self._look)

    def _look(self) -> None:
        now = time.thread_time()
        self.longest_seconds = max(self.longest_seconds, now - self._last)
        self._last = now
        self._handle = self._loop.call_later(0.001, self._look)

    def close(self) -> None:
        self._handle.cancel()


@pytest.mark.timeout(120)
async def test_the_admission_and_the_cancel_of_thousands_of_tasks_hold_nobody_up(tmp_path: Path) -> None:
    """Each was thought about on the loop: of twenty thousand for a second."""
    tasks = (container("first", hold="true"), *(container(f"task{n}", needs=["first"]) for n in range(TASKS)))
    plan = Plan.of(make_run(), tasks, engine="memory")
    progress = Progress.of(plan, make_run(), {})
    began = time.thread_time()
    apply(progress, decide(plan, progress, Admitted(), at=NOW).changes)
    decide(plan, progress, CancelRequested(request=StopRequest(at=NOW, force=False)), at=NOW)
    a_thought = (time.thread_time() - began) / 2
    async with open_world(tmp_path) as world:
        await world.register(*tasks)
        with world.bus.subscribe(RunAdmitted) as changes, closing(Watch()) as watch:
            key = await world.start_run()
            await next_event(changes, RunAdmitted)
            await world.cancel(key)
            (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert watch.longest_seconds < a_thought / 2
