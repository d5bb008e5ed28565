"""Runs of very many tasks: what is decided for all of them at once must not hold up everybody else."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofer.core.events import RunAdmitted
from gofer.core.machine import apply, decide
from gofer.core.run import Plan, Progress, RunState, StopRequest
from gofer.core.step import Admitted, CancelRequested
from tests.factories import NOW, make_run
from tests.unit.workers.conftest import container, next_event, open_world

TASKS = 20_000


@dataclass
class Held:
    """The longest time that the loop let nobody else in."""

    longest_seconds: float = 0.0


@contextmanager
def watched_loop() -> Iterator[Held]:
    held = Held()
    loop = asyncio.get_running_loop()
    last = time.perf_counter()

    def look() -> None:
        nonlocal last, handle
        now = time.perf_counter()
        held.longest_seconds = max(held.longest_seconds, now - last)
        last = now
        handle = loop.call_later(0.001, look)

    handle = loop.call_soon(look)
    yield held
    handle.cancel()


@pytest.mark.timeout(120)
async def test_the_admission_and_the_cancel_of_twenty_thousand_tasks_hold_nobody_up(tmp_path: Path) -> None:
    """Each was thought about on the loop, for a second."""
    tasks = (container("first", hold="true"), *(container(f"task{n}", needs=["first"]) for n in range(TASKS)))
    plan = Plan.of(make_run(), tasks, engine="memory")
    progress = Progress.of(plan, make_run(), {})
    began = time.perf_counter()
    apply(progress, decide(plan, progress, Admitted(), at=NOW).changes)
    decide(plan, progress, CancelRequested(request=StopRequest(at=NOW, force=False)), at=NOW)
    a_thought = (time.perf_counter() - began) / 2
    async with open_world(tmp_path) as world:
        await world.register(*tasks)
        with world.bus.subscribe(RunAdmitted) as changes, watched_loop() as held:
            key = await world.start_run()
            await next_event(changes, RunAdmitted)
            await world.cancel(key)
            (run,) = await world.until_over(key)

    assert run.state is RunState.CANCELLED
    assert held.longest_seconds < a_thought / 2
