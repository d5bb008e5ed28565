"""Servers with nothing to do but to remove what is due, each of which kills itself, as `kill -9` would, at a step.

python -m tests.integration.recovery.pruning FOLDER STEP [STEP ...]

Prints a line for each of them: the step, and the number of the signal that ended it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gofer.app import Probes, running_app
from gofer.config.settings import FilesystemObjectStoreSettings, Settings
from gofer.services.pruning import PruneStep
from tests.integration.killable_server import settings_of

KEEP = 2
GIVE_UP_SECONDS = 60  # where there is nothing to do that a server is to die at


def wide(folder: Path) -> Settings:
    """Give settings under which nothing goes."""
    settings = settings_of(folder, "memory", 0)
    objects = FilesystemObjectStoreSettings(path=folder / "data" / "objects")
    store = replace(settings.object_store, engine="filesystem", filesystem=objects)
    return replace(settings, object_store=store, pipeline_version_limit=0)


def narrow(folder: Path) -> Settings:
    """Give settings under which little is kept."""
    settings = wide(folder)
    store = replace(settings.object_store, pipeline_object_limit=KEEP, run_object_expiry=KEEP)
    return replace(settings, object_store=store, pipeline_version_limit=KEEP, task_run_log_expiry=KEEP)


async def serve_until(last: PruneStep, folder: Path) -> None:
    """Run a server that dies right after that step."""

    def strike(step: PruneStep) -> None:
        if step is last:
            os.kill(os.getpid(), signal.SIGKILL)

    async with running_app(narrow(folder), probes=Probes(pruned=strike)):
        await asyncio.Event().wait()


def main(folder: Path, steps: Iterable[PruneStep]) -> None:
    """Run one after the other, each in a process of its own."""
    for step in steps:
        child = os.fork()  # what is imported already need not be again
        if child == 0:
            signal.alarm(GIVE_UP_SECONDS)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the server's own log
            asyncio.run(serve_until(step, folder))
        _, status = os.waitpid(child, 0)
        print(step.value, os.WTERMSIG(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), [PruneStep(step) for step in sys.argv[2:]])
