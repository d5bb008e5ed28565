"""The stock tests of every worker: start and stop it often, and cancel it at each step of its start."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from gofer.lifecycle import Worker, running

GRACE = timedelta(minutes=1)


async def start_stop_stress(make: Callable[[], Worker], *, times: int = 100) -> None:
    """Start and stop a worker `times` times, letting it run for another number of loop turns each time."""
    before = asyncio.all_tasks()
    for turns in range(times):
        async with running(make(), grace=GRACE):
            for _ in range(turns % 7):
                await asyncio.sleep(0)
    _assert_nothing_left(before)


async def cancel_during_start(make: Callable[[], Worker], *, steps: int = 30) -> None:
    """Cancel whoever starts a worker after 0, 1, 2 ... loop turns; every time it must end and leave no task."""
    before = asyncio.all_tasks()
    for turns in range(steps):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_hold(make()), name="holder")
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()
    _assert_nothing_left(before)


async def stop_before_run(make: Callable[[], Worker]) -> None:
    """Stop a worker before it runs, and twice: it must return by itself."""
    worker = make()
    worker.stop()
    worker.stop()
    async with asyncio.timeout(GRACE.total_seconds()):
        await worker.run(lambda: None)


async def _hold(worker: Worker) -> None:
    async with running(worker, grace=GRACE):
        await asyncio.Event().wait()


def _assert_nothing_left(before: set[asyncio.Task[object]]) -> None:
    left = asyncio.all_tasks() - before
    assert not left, f"tasks left behind: {left}"
