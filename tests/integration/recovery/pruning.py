"""Servers with nothing to do but to remove what is due, each of which kills itself, as `kill -9` would, at a step.

python -m tests.integration.recovery.pruning FOLDER [--engine NAME] STEP [STEP ...]

Prints a line for each of them: the step, and the number of the signal that ended it. A server that is to die while it
removes containers makes some itself that nobody holds, of the first run's task, once its start has found none.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gofer.app import App, Probes, running_app
from gofer.clock import SystemClock
from gofer.config.settings import FilesystemObjectStoreSettings, Settings
from gofer.core.ids import AttemptId
from gofer.engines.protocols import ContainerSpec, ImageSpec
from gofer.services.pruning import PruneStep
from tests.factories import run_key
from tests.integration.killable_server import settings_of

KEEP = 2
LEFTOVERS = 25  # more than a piece
IMAGE = "gofer-test/busybox:1"
GIVE_UP_SECONDS = 60  # where there is nothing to do that a server is to die at


class Leaping(SystemClock):
    """A clock that can be set forward, also for those who sleep."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._leapt = asyncio.Event()

    def monotonic(self) -> timedelta:
        return super().monotonic() + self._ahead

    async def sleep(self, duration: timedelta) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, duration.total_seconds())):
                await self._leapt.wait()

    def leap(self, duration: timedelta) -> None:
        self._ahead += duration
        self._leapt.set()
        self._leapt = asyncio.Event()


def wide(folder: Path, engine: str = "memory") -> Settings:
    """Give settings under which nothing goes."""
    settings = settings_of(folder, engine, 0)
    objects = FilesystemObjectStoreSettings(path=folder / "data" / "objects")
    store = replace(settings.object_store, engine="filesystem", filesystem=objects)
    return replace(settings, object_store=store, pipeline_version_limit=0)


def narrow(folder: Path, engine: str = "memory") -> Settings:
    """Give settings under which little is kept."""
    settings = wide(folder, engine)
    docker = replace(settings.scheduler.docker, prune=True)
    settings = replace(settings, scheduler=replace(settings.scheduler, docker=docker))
    store = replace(settings.object_store, pipeline_object_limit=KEEP, run_object_expiry=KEEP)
    return replace(settings, object_store=store, pipeline_version_limit=KEEP, task_run_log_expiry=KEEP)


async def leave_containers(app: App) -> None:
    """Make containers of attempts that no live task run holds."""
    instance = await app.database.read(lambda unit: unit.meta.instance_id())
    (task_run,) = (await app.database.read(lambda unit: unit.runs.all_task_runs(run_key()))).values()
    for number in range(2, LEFTOVERS + 2):
        spec = ContainerSpec(
            attempt=AttemptId(key=task_run.key, number=number, instance=instance),
            name=f"{instance}_{number}",
            image=ImageSpec(name=IMAGE),
            command=("true",),
        )
        await app.engine.create(spec)


async def serve_until(last: PruneStep, folder: Path, engine: str) -> None:
    """Run a server that dies right after that step."""

    def strike(step: PruneStep) -> None:
        if step is last:
            os.kill(os.getpid(), signal.SIGKILL)

    clock, settings = Leaping(), narrow(folder, engine)
    async with running_app(settings, clock=clock, probes=Probes(pruned=strike)) as app:
        if last is PruneStep.CONTAINERS:
            await leave_containers(app)
            clock.leap(max(settings.event_prune_interval, settings.scheduler.docker.prune_interval))
        await asyncio.Event().wait()


def main(folder: Path, engine: str, steps: Iterable[PruneStep]) -> None:
    """Run one after the other, each in a process of its own."""
    for step in steps:
        child = os.fork()  # what is imported already need not be again
        if child == 0:
            signal.alarm(GIVE_UP_SECONDS)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the server's own log
            asyncio.run(serve_until(step, folder, engine))
        _, status = os.waitpid(child, 0)
        print(step.value, os.WTERMSIG(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="memory")
    parser.add_argument("steps", nargs="+", type=PruneStep)
    asked = parser.parse_args()
    main(asked.folder, asked.engine, asked.steps)
