"""The timers of one live run: its own deadline, and those of its tasks that run.

A deadline is a time that follows from what is stored, so that a restart changes none: one that passed meanwhile is
posted at once. Each is posted once, and none after what it is about has ended. It is a wall time: one that was set back
meanwhile is waited for.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from gofer.clock import Clock
from gofer.core.ids import RunKey, TaskId
from gofer.core.step import ArmDeadline, ArmTaskDeadline, DeadlinePassed, Signal, TaskDeadlinePassed
from gofer.core.times import TICK
from gofer.workers.launching import Spawn


class Deadlines:
    """Posts what has passed to the run's actor."""

    def __init__(self, *, key: RunKey, clock: Clock, spawn: Spawn, post: Callable[[Signal], object]) -> None:
        """Keep the timers in the given group; `over` ends them all."""
        self._key = key
        self._clock = clock
        self._spawn = spawn
        self._post = post
        self._of_run: asyncio.Task[None] | None = None
        self._of_tasks: dict[TaskId, asyncio.Task[None]] = {}

    def arm(self, effect: ArmDeadline | ArmTaskDeadline) -> None:
        """Wait for a deadline; one that is armed already stays as it is."""
        if isinstance(effect, ArmDeadline):
            if self._of_run is None:
                self._of_run = self._timer(effect.at, DeadlinePassed(), f"deadline {self._key}")
        elif effect.task not in self._of_tasks:
            signal = TaskDeadlinePassed(task=effect.task)
            self._of_tasks[effect.task] = self._timer(effect.at, signal, f"deadline {self._key.task(effect.task)}")

    def ended(self, task: TaskId) -> None:
        """Let go of the deadline of a task run that has ended."""
        timer = self._of_tasks.pop(task, None)
        if timer is not None:
            timer.cancel()

    def over(self) -> None:
        """Let go of all of them."""
        for timer in (self._of_run, *self._of_tasks.values()):
            if timer is not None:
                timer.cancel()

    def _timer(self, at: datetime, signal: Signal, name: str) -> asyncio.Task[None]:
        return self._spawn(self._wait(at, signal), name=name)

    async def _wait(self, at: datetime, signal: Signal) -> None:
        # A tick later, no engine can take what this ends for something that had ended before.
        while (left := at + TICK - self._clock.now()) > timedelta():
            await self._clock.sleep(left)
        self._post(signal)
