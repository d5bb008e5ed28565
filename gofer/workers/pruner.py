"""Runs the prune jobs: each in its own time, piece by piece, with a rest after each piece for whoever else writes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.clock import Clock
from gofer.core.events import Envelope, RunCompleted, RunStarted
from gofer.lifecycle import owned_tasks

_log = structlog.get_logger(__name__)

REST: Final = timedelta(milliseconds=20)
"""Between two pieces: several times as long as one of them holds the writer."""
GATHER: Final = timedelta(seconds=1)
"""After a run has started or ended, for others that do so in the same moment."""
TRY_AGAIN: Final = timedelta(minutes=10)


class PruneJob(Protocol):
    """Something that goes when its time has come."""

    @property
    def name(self) -> str:
        """Name the job, for the server's log."""
        ...

    async def run_once(self) -> bool:
        """Do one small piece of the work that is due now; tell whether there is more.

        Safe to repeat, after a failure, a cancellation and a crash too. May raise anything; it is called again later.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """A job and its time: at the start, then at least that often; `after_runs`, also when runs start and end."""

    job: PruneJob
    every: timedelta
    after_runs: bool = False


class Pruner:
    """Removes what is due to go, for as long as the server runs. It is nobody's condition, and ready at once."""

    name = "pruner"

    def __init__(self, *, routines: Sequence[Routine], bus: Bus[Envelope], clock: Clock) -> None:
        """Take the jobs that are due in turns."""
        self._routines = tuple(routines)
        self._bus = bus
        self._clock = clock
        self._stop = asyncio.Event()
        self._due_at = [clock.monotonic() for _ in self._routines]

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until stopped; the piece under way is finished."""
        # One event that waits says all: something has changed.
        with self._bus.subscribe(RunStarted, RunCompleted, limit=1) as changes:
            ready()
            while not self._stop.is_set():
                await self._work()
                if await self._changed_before(min(self._due_at, default=timedelta.max), changes):
                    await self._idle(GATHER)
                    self._note_change()

    def stop(self) -> None:
        """End after the piece under way; the rest is done after the next start."""
        self._stop.set()

    async def _work(self) -> None:
        """Do what is due, in turns, until nothing is."""
        now = self._clock.monotonic()
        due = [number for number, at in enumerate(self._due_at) if at <= now]
        for number in due:
            self._due_at[number] = now + self._routines[number].every
        while due:
            due = [number for number in due if await self._has_more(number)]

    async def _has_more(self, number: int) -> bool:
        if self._stop.is_set():
            return False
        routine = self._routines[number]
        try:
            more = await routine.job.run_once()
        except Exception:  # noqa: BLE001 - whatever it is, the other jobs go on, and this one is tried again
            _log.exception("something that is due to go could not be removed", job=routine.job.name)
            self._due_at[number] = self._clock.monotonic() + min(routine.every, TRY_AGAIN)
            return False
        if more:
            await self._idle(REST)
        return more

    async def _changed_before(self, at: timedelta, changes: Subscription[Envelope]) -> bool:
        """Wait for that time, a stop, or a run that starts or ends; tell whether it was such a run."""
        async with owned_tasks() as tasks:
            asleep = tasks.spawn(self._clock.sleep(at - self._clock.monotonic()), name="wait to prune")
            changed = tasks.spawn(_next(changes), name="wait for runs")
            stopped = tasks.spawn(self._stop.wait(), name="stop of the pruner")
            await asyncio.wait({asleep, changed, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return changed.done() and not stopped.done()

    async def _idle(self, duration: timedelta) -> None:
        async with owned_tasks() as tasks:
            asleep = tasks.spawn(self._clock.sleep(duration), name="rest of the pruner")
            stopped = tasks.spawn(self._stop.wait(), name="stop of the pruner")
            await asyncio.wait({asleep, stopped}, return_when=asyncio.FIRST_COMPLETED)

    def _note_change(self) -> None:
        now = self._clock.monotonic()
        self._due_at = [
            now if routine.after_runs else at for routine, at in zip(self._routines, self._due_at, strict=True)
        ]


async def _next(changes: Subscription[Envelope]) -> None:
    """Wait for any event, or until some were missed; for ever where there will be none."""
    try:
        async for _ in changes:
            return
    except Lagged:
        return
    await asyncio.Event().wait()
