"""The composition root: the only package that names every concrete class.

`running_app` reads top to bottom as the server's start; leaving it is the shutdown, in reverse.
"""

import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from gofer.api.server import ApiServer
from gofer.app.api import serve_api
from gofer.app.base import Probes as Probes
from gofer.app.base import open_base
from gofer.app.pruning import run_pruner
from gofer.app.workers import run_workers
from gofer.bus import Bus
from gofer.clock import Clock, SystemClock
from gofer.config.settings import Settings
from gofer.core.events import Envelope
from gofer.engines.protocols import SchedulerEngine
from gofer.lifecycle import allow_many_files, map_large_blocks, read_tls_in_pieces
from gofer.sqlite import Database
from gofer.storage.unit import Unit

SWITCH_INTERVAL_SECONDS: Final = 0.0005
"""How long a thread may hold the interpreter: with Python's own 5 ms, one busy thread makes the loop wait 100 ms."""
COLLECT_AFTER: Final = (10_000, 10, 10)
"""Of new objects, and of collections of the younger ones. Python's own 700 makes a full collection of every large
message while it is being read, and each of them 70 ms long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A running server, as those who started it see it."""

    settings: Settings
    engine: SchedulerEngine
    database: Database[Unit]
    bus: Bus[Envelope]
    server: ApiServer
    reload_certificate: Callable[[Settings], Awaitable[None]]


@asynccontextmanager
async def running_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    probes: Probes | None = None,
    stop: Callable[[], None] = lambda: None,
) -> AsyncIterator[App]:
    """Run a server for the length of the block, which begins when the API answers.

    `stop` is called when somebody asks the server to stop; whoever gave it leaves the block then.

    Raises `FailedPrecondition` and `InvalidInput`, in words, where the settings, the data folder or a port are unfit.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    settings = _with_open_files(settings, allow_many_files())
    async with AsyncExitStack() as stack:
        base = await open_base(stack, settings, clock=clock or SystemClock(), probes=probes or Probes(), stop=stop)
        await run_workers(stack, base)
        served = await serve_api(stack, base)
        await run_pruner(stack, base)
        yield App(
            settings=settings,
            engine=base.engine,
            database=base.database,
            bus=base.bus,
            server=served.server,
            reload_certificate=served.reload_certificate,
        )


def _with_open_files(settings: Settings, before: int) -> Settings:
    """Give tasks that are processes of this machine the limit that held before it was raised for the server."""
    process = settings.scheduler.process
    if process.open_files:
        return settings
    scheduler = replace(settings.scheduler, process=replace(process, open_files=before))
    return replace(settings, scheduler=scheduler)


def settle() -> None:
    """Have garbage collections look at little, and seldom: the loop waits for them, in whichever thread they happen.

    What is there now is never looked at; the little of it that is garbage stays. From now on there are some
    collections, also where the start went without. What large blocks of memory leave is not filled with small ones.
    """
    read_tls_in_pieces()
    map_large_blocks()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
