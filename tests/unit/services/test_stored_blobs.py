"""What a record is to name is put first: it goes where the record is surely not stored, and only there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from gofer.core.access import Caller
from gofer.core.errors import AlreadyExists, OutcomeUnknown
from gofer.core.ids import BlobId
from gofer.core.secret import Secret
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.engines.secret_store.memory import MemorySecretStore
from gofer.sealing import Sealer, SealingKey
from gofer.services.blobs import SealedBlobs
from gofer.services.masks import NeededBlobs
from gofer.services.object_blobs import ObjectBlobs, needed_content
from gofer.services.object_rules import ObjectLimits, ObjectTarget
from gofer.services.objects import Objects, PutObject
from gofer.services.runs import Target
from gofer.services.secrets import PipelineSecrets, PutSecret
from gofer.sqlite import Database, GroupStep, open_database
from gofer.storage.unit import Unit
from tests.factories import KEY, make_config, make_namespace, make_pipeline
from tests.fakes.clock import FakeClock

CALLER = Caller(name="tester", is_admin=True)


class Kept(Protocol):
    """Something of a pipeline that is kept in a store."""

    async def put(self, database: Database[Unit], text: str) -> None: ...

    async def get(self, database: Database[Unit]) -> str: ...

    async def count(self, database: Database[Unit]) -> int: ...

    async def sweep(self, database: Database[Unit]) -> int: ...


@dataclass
class KeptSecret:
    """A secret."""

    store: MemorySecretStore = field(default_factory=MemorySecretStore)

    async def put(self, database: Database[Unit], text: str) -> None:
        secrets = PipelineSecrets(database=database, blobs=await self.blobs(database))
        await secrets.put(CALLER, self._target, PutSecret(key="key", value=Secret(text), force=True))

    async def get(self, database: Database[Unit]) -> str:
        secrets = PipelineSecrets(database=database, blobs=await self.blobs(database))
        found = await secrets.get(CALLER, self._target, "key", with_value=True)
        assert found.value is not None
        return found.value.reveal()

    async def count(self, database: Database[Unit]) -> int:
        return len(await (await self.blobs(database)).all())

    async def sweep(self, database: Database[Unit]) -> int:
        blobs = await self.blobs(database)
        instance = await database.read(lambda unit: unit.meta.instance_id())
        return await blobs.sweep(NeededBlobs(database=database, instance=instance))

    @property
    def _target(self) -> Target:
        return Target(namespace=KEY.namespace, pipeline=KEY.pipeline)

    async def blobs(self, database: Database[Unit]) -> SealedBlobs:
        instance = await database.read(lambda unit: unit.meta.instance_id())
        return SealedBlobs(engine=self.store, sealer=Sealer(SealingKey(bytes(32))), instance=instance)


@dataclass
class KeptObject:
    """An object."""

    store: MemoryObjectStore = field(default_factory=MemoryObjectStore)

    async def put(self, database: Database[Unit], text: str) -> None:
        command = PutObject(key="key", force=True)
        await (await self._objects(database)).put(CALLER, self._target, command, once(text.encode()))

    async def get(self, database: Database[Unit]) -> str:
        _, content = await (await self._objects(database)).read(CALLER, self._target, "key", most_bytes=100)
        return content.decode()

    async def count(self, database: Database[Unit]) -> int:
        return len(await (await self._blobs(database)).all())

    async def sweep(self, database: Database[Unit]) -> int:
        return await (await self._blobs(database)).sweep(needed_content(database))

    @property
    def _target(self) -> ObjectTarget:
        return ObjectTarget(namespace=KEY.namespace, pipeline=KEY.pipeline)

    async def _objects(self, database: Database[Unit]) -> Objects:
        limits = ObjectLimits(pipeline_objects=10, run_expiry=10, size_bytes=1000)
        return Objects(database=database, blobs=await self._blobs(database), limits=limits)

    async def _blobs(self, database: Database[Unit]) -> ObjectBlobs:
        instance = await database.read(lambda unit: unit.meta.instance_id())
        return ObjectBlobs(engine=self.store, instance=instance)


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def opened(
    path: Path, observe: Callable[[GroupStep], None] = lambda _: None
) -> AbstractAsyncContextManager[Database[Unit]]:
    return open_database(
        path / "gofer.db",
        migrations="gofer.storage.migrations",
        make_unit=Unit,
        clock=FakeClock(),
        observe=observe,
    )


async def begin(database: Database[Unit], kept: Kept) -> None:
    """Make a pipeline that keeps something old."""

    def write(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        unit.pipelines.insert(make_pipeline())
        unit.pipelines.insert_config(make_config())

    await database.write(write)
    await kept.put(database, "old")


@pytest.mark.parametrize("make", [KeptSecret, KeptObject])
@pytest.mark.parametrize(("step", "text"), [(GroupStep.COMMIT, "old"), (GroupStep.COMMITTED, "new")])
async def test_where_the_writer_breaks_before_it_knows_nothing_that_a_record_may_name_is_lost(
    tmp_path: Path, make: Callable[[], Kept], step: GroupStep, text: str
) -> None:
    """Whether the record was stored is seen at the next start, which sweeps what it does not name."""
    kept = make()
    async with opened(tmp_path) as database:
        await begin(database, kept)

    def broken(told: GroupStep) -> None:
        if told is step:
            raise RuntimeError("the writer is broken")

    async def put() -> None:
        async with opened(tmp_path, broken) as database:
            putting.append(asyncio.create_task(kept.put(database, "new"), name="put"))
            await asyncio.Event().wait()  # the broken writer ends the wait

    putting: list[asyncio.Task[None]] = []
    with pytest.raises(RuntimeError, match="broken"):
        await put()
    with pytest.raises(OutcomeUnknown):
        await putting[0]

    async with opened(tmp_path) as database:
        assert (text, 2) == (await kept.get(database), await kept.count(database))
        assert 1 == await kept.sweep(database)
        assert text == await kept.get(database)


async def test_what_a_refused_record_would_have_named_goes_at_once(tmp_path: Path) -> None:
    kept = KeptSecret()

    def refuse(unit: Unit) -> tuple[None, tuple[BlobId, ...]]:
        raise AlreadyExists("somebody was faster")

    async with opened(tmp_path) as database:
        await begin(database, kept)
        blobs = await kept.blobs(database)
        with pytest.raises(AlreadyExists):
            await blobs.commit_put(database, await blobs.put(Secret("new")), refuse)

        assert ("old", 1) == (await kept.get(database), await kept.count(database))
