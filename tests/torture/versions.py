"""Pipelines that are registered again and again, so that old versions go while runs of them live."""

import random
from collections.abc import Iterator
from typing import Final

from gofer_sdk.client import GoferClient
from tests.torture.doomed import Insist
from tests.torture.ledger import Ledger
from tests.torture.pipelines import GRAPHS, Engine, Graph, config_of
from tests.torture.stored import Stored

KEPT: Final = 2
"""How many versions a pipeline keeps, beside those that runs were made from."""


class Registrar:
    """Registers one of the pipelines as it is, several times in a row, and deploys every other of these versions."""

    def __init__(self, *, client: GoferClient, insist: Insist, ledger: Ledger, engine: Engine, marks: str) -> None:
        self._client = client
        self._insist = insist
        self._ledger = ledger
        self._engine = engine
        self._marks = marks

    async def register(self, chance: random.Random) -> None:
        """Make some versions."""
        graph = chance.choice(GRAPHS)
        for _ in range(chance.randint(1, 4)):
            await self._register(graph, deploy=chance.random() < 0.5)

    async def _register(self, graph: Graph, *, deploy: bool) -> None:
        config = config_of(graph, self._engine, self._marks)
        versions: list[int] = []

        async def ask() -> None:
            registered = await self._client.pipelines.register(config)
            versions.append(registered.config.version)

        await self._insist(ask)
        if deploy:
            version = self._ledger.deploying[graph.id] = versions[-1]
            await self._insist(lambda: self._client.pipelines.deploy(graph.id, version))
            self._ledger.deployed[graph.id] = self._ledger.deploying.pop(graph.id)


def faults_of_runs(stored: Stored, ledger: Ledger) -> Iterator[str]:
    """Say which run has lost the version that it was made from."""
    for key, run in stored.runs.items():
        if key[0] in ledger.deployed and run.version not in stored.versions[key[0]]:
            yield f"the run {key} is of version {run.version}, and there are {sorted(stored.versions[key[0]])}"


def faults_of_versions(stored: Stored, ledger: Ledger) -> Iterator[str]:
    """Say which pipeline keeps more versions than it should, in the end."""
    for pipeline in ledger.deployed:
        used = {run.version for key, run in stored.runs.items() if key[0] == pipeline}
        spare = {*stored.live_versions[pipeline], max(stored.versions[pipeline])}
        kept = stored.versions[pipeline] - used
        if len(kept) > KEPT and kept - spare:
            yield f"{pipeline} keeps the versions {sorted(kept)}, which no run is of"
