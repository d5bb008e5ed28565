"""Namespaces and pipelines that are deleted while they run, whatever dies; and what must be gone in the end."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Final, TypeAlias

from gofer_sdk.client import GoferClient
from gofer_sdk.errors import AlreadyExists, NotFound
from tests.torture.ledger import Doomed, Ledger
from tests.torture.pipelines import DOOMED, SECRET, Engine, config_of
from tests.torture.stored import Stored

Insist: TypeAlias = Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]
"""Makes a call until it is answered."""
WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class Doomer:
    """Makes namespaces with a pipeline in each, starts runs, and deletes all of it."""

    def __init__(self, *, client: GoferClient, insist: Insist, ledger: Ledger, engine: Engine, marks: str) -> None:
        self._client = client
        self._insist = insist
        self._ledger = ledger
        self._engine = engine
        self._marks = marks

    async def doom(self, number: int, chance: random.Random) -> None:
        """Let one live for a moment."""
        doomed = Doomed(name=f"{DOOMED.id}_{number}")
        self._ledger.doomed.append(doomed)
        runs, seconds = chance.randint(1, 2), chance.random() ** 2 * 0.6
        alone, patient = chance.random() < 0.5, chance.random() < 0.7
        await self._insist(lambda: self._make(doomed.name))
        for each in range(runs):
            await self._insist(lambda request=f"{each}": self._start(doomed, request))  # type: ignore[misc]
        await asyncio.sleep(seconds)
        doomed.is_wished_gone = True
        if alone:
            await self._insist_gone(
                lambda: self._client.pipelines.delete(doomed.name, namespace=doomed.name, wait=patient)
            )
        await self._insist_gone(lambda: self._client.namespaces.delete(doomed.name, wait=patient))
        doomed.is_gone = patient

    async def _make(self, name: str) -> None:
        with suppress(AlreadyExists):
            await self._client.namespaces.create(name, name=name)
        config = config_of(DOOMED, self._engine, self._marks, name=name)
        registered = await self._client.pipelines.register(config, namespace=name)
        await self._client.pipelines.deploy(name, registered.config.version, namespace=name)
        await self._client.secrets.put(name, SECRET, f"of {name}", force=True, namespace=name)

    async def _start(self, doomed: Doomed, request: str) -> None:
        started = await self._client.runs.start(doomed.name, request_id=request, namespace=doomed.name)
        assert started.run is not None
        doomed.runs.append(started.run.id)

    async def _insist_gone(self, delete: Callable[[], Awaitable[None]]) -> None:
        """Delete; where the first answer was lost, what was to be deleted may not be there any more."""
        tries = 0

        async def again() -> None:
            nonlocal tries
            tries += 1
            try:
                await delete()
            except NotFound:
                if tries == 1:
                    raise

        await self._insist(again)


async def faults_of_deletions(client: GoferClient, ledger: Ledger) -> list[str]:
    """Wait until everything is gone that was to be deleted; say what stays."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    wished = {each.name for each in ledger.doomed if each.is_wished_gone}
    while True:
        left = wished & {namespace.id async for namespace in client.namespaces.each()}
        if not left or asyncio.get_running_loop().time() > deadline:
            return [f"not deleted: {each}" for each in sorted(left)]
        await asyncio.sleep(_LOOK_SECONDS)


def faults_of_doomed(stored: Stored, ledger: Ledger) -> Iterator[str]:
    """Say what is left of what was deleted, and what went before anybody wanted it."""
    rows = {key[0] for key in (*stored.runs, *stored.task_runs)} | stored.live_versions.keys()
    for doomed in ledger.doomed:
        if doomed.is_gone and doomed.name in rows:
            yield f"rows are left of {doomed.name}, which was deleted"
        if doomed.is_wished_gone:
            continue
        for run in doomed.runs:
            if (doomed.name, run) not in stored.runs:
                yield f"the run {doomed.name} {run} was acknowledged and is not stored"


def faults_of_last_words(stored: Stored, ledger: Ledger) -> Iterator[str]:
    """Say which deleted pipeline's events are not the whole story of it, told once. All deletions are through."""
    kinds = Counter(event.kind for event in stored.events)
    names = {each.name for each in ledger.doomed}
    if kinds["NAMESPACE_DELETED"] != len(names) or kinds["NAMESPACE_DELETION_REQUESTED"] != len(names):
        yield f"{len(names)} namespaces were deleted, {kinds['NAMESPACE_DELETED']} are told of"
    for name in names:
        own = [event for event in stored.events if event.pipeline == name]
        count = Counter(event.kind for event in own)
        runs = {event.run for event in own if event.run}
        if own[-1].kind != "PIPELINE_DELETED" or count["PIPELINE_DELETED"] != 1:
            yield f"{name} was deleted, and its events end with {own[-1]}"
        if not count["RUN_STARTED"] == count["RUN_COMPLETED"] == len(runs):
            yield f"{name} was deleted, and its events are {count}"
        if count["TASKRUN_CREATED"] != count["TASKRUN_COMPLETED"]:
            yield f"{name} was deleted, and its events are {count}"
