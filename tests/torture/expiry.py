"""Logs that must go because newer runs took their place, and those that must not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

from gofer_sdk.client import GoferClient
from tests.torture.ends import Ended
from tests.torture.ledger import Ledger
from tests.torture.pipelines import EXPIRY_RUNS, Engine

WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


async def faults_of_pruning(client: GoferClient, engine: Engine, ledger: Ledger) -> list[str]:
    """Wait until every log is gone that is due; say which stay."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        due = [each async for each, is_gone in _due(client, engine, ledger) if not is_gone]
        if not due or asyncio.get_running_loop().time() > deadline:
            return [f"not removed: the log of {each}" for each in due]
        await asyncio.sleep(_LOOK_SECONDS)


async def _due(client: GoferClient, engine: Engine, ledger: Ledger) -> AsyncIterator[tuple[str, bool]]:
    """Name each task run whose log must go, and tell whether it is gone."""
    for pipeline in ledger.deployed:
        runs = [run.id async for run in client.runs.each(pipeline)]
        for run in (run for run in runs if must_expire(engine, run, max(runs))):
            async for found in client.task_runs.each(pipeline, run):
                yield f"{pipeline} {run} {found.id}", found.logs_expired and found.logs_removed


def must_expire(engine: Engine, run: int, newest: int) -> bool:
    """Tell whether the logs of an ended run have to go."""
    return newest - run >= EXPIRY_RUNS[engine]


def faults_of_expiry(ended: Ended, ledger: Ledger) -> Iterator[str]:
    """Say which log is gone before its time, and who was refused one that is there."""
    newest: dict[str, int] = {}
    for pipeline, run in ended.runs:
        newest[pipeline] = max(run, newest.get(pipeline, 0))
    for (pipeline, run), own in ended.task_runs.items():
        for found in own.values():
            if found.logs_removed and not must_expire(ended.engine, run, newest[pipeline]):
                yield f"the log of {pipeline} {run} {found.id} was removed, the newest run is {newest[pipeline]}"
    for pipeline, run, task in ledger.refused_logs:
        own = ended.task_runs.get((pipeline, run), {})
        if task in own and not own[task].logs_removed:
            yield f"the log of {pipeline} {run} {task} was refused to a reader, and is there"
