"""Stopping the server by a call: at once, or once the runs that are under way have ended."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition
from gofer.core.events import Envelope, RunCompleted
from gofer.services.admission_gate import AdmissionGate
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_log = structlog.get_logger(__name__)

LOOK_AGAIN: Final = timedelta(seconds=5)
"""How often the runs are counted where nothing is heard of one, so that whoever waits sees that it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopProgress:
    """How many runs are under way; whether the server stops now."""

    live_runs: int = 0
    stopping: bool = False


class Stopping:
    """The use case of a stop."""

    def __init__(
        self, *, database: Database[Unit], bus: Bus[Envelope], gate: AdmissionGate, stop: Callable[[], None]
    ) -> None:
        """`stop` begins the stop of this process, as a signal does."""
        self._database = database
        self._bus = bus
        self._gate = gate
        self._stop = stop

    async def run(
        self, caller: Caller, *, drain: bool, longest: timedelta | None
    ) -> AsyncGenerator[StopProgress, None]:
        """Stop the server, and tell how far that is; the last one tells that it stops now.

        With `drain` new runs are refused and queued ones stay queued, until those under way have ended or `longest` is
        over. Who goes away before the last one has taken the stop back: then all is as before. Raises
        `PermissionDenied` for whoever is no admin, and `FailedPrecondition` while another one drains.
        """
        caller.require_admin()
        if drain:
            if not self._gate.close():
                raise FailedPrecondition("the server is being drained already: wait for its end")
            _log.warning("the server is to stop: no new runs, and those under way come to their end", by=caller.name)
            drained = False
            try:
                async for progress in self._drained(longest):
                    yield progress
                live = await self._live()
                drained = True
            finally:
                if not drained:
                    self._gate.open()
                    _log.warning("the server stays: whoever wanted it to stop has gone")
        else:
            live = await self._live()
        _log.warning("the server stops", by=caller.name, live_runs=live)
        try:
            yield StopProgress(live_runs=live, stopping=True)
        finally:  # however whoever asked goes away now
            self._stop()

    async def _drained(self, longest: timedelta | None) -> AsyncGenerator[StopProgress, None]:
        loop = asyncio.get_running_loop()
        deadline = None if longest is None else loop.time() + longest.total_seconds()
        with self._bus.subscribe(RunCompleted) as ends:
            while live := await self._live():
                yield StopProgress(live_runs=live)
                left = LOOK_AGAIN.total_seconds() if deadline is None else deadline - loop.time()
                if left <= 0:
                    return
                await _next(ends, seconds=min(left, LOOK_AGAIN.total_seconds()))

    async def _live(self) -> int:
        return await self._database.read(lambda unit: len(unit.runs.live()))


async def _next(ends: Subscription[Envelope], *, seconds: float) -> None:
    with suppress(TimeoutError, Lagged):
        async with asyncio.timeout(seconds):
            await anext(ends, None)
