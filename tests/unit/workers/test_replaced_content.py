"""The content of objects that were replaced: gone in the end, but nobody's put waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.clock import SystemClock
from gofer.core.access import Caller
from gofer.core.errors import EngineUnavailable
from gofer.core.ids import BlobKey
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.lifecycle import running
from gofer.services.object_blobs import ObjectBlobs, needed_content
from gofer.services.object_rules import ObjectLimits, ObjectTarget
from gofer.services.objects import Objects, PutObject
from gofer.sqlite import Database, open_database
from gofer.storage.unit import Unit
from gofer.workers.replaced_content import ReplacedContent
from tests.factories import KEY, make_config, make_namespace, make_pipeline

CALLER = Caller(name="tester", is_admin=True)
TARGET = ObjectTarget(namespace=KEY.namespace, pipeline=KEY.pipeline)
GRACE = timedelta(minutes=1)


class SlowStore(MemoryObjectStore):
    """Deletes when a test lets it, and only then."""

    def __init__(self) -> None:
        super().__init__()
        self.may_delete = asyncio.Event()
        self.asked = asyncio.Semaphore(0)
        self.deleted = asyncio.Semaphore(0)
        self.fails = False

    async def delete(self, key: BlobKey) -> None:
        self.asked.release()
        await self.may_delete.wait()
        if self.fails:
            raise EngineUnavailable("not now", engine="slow")
        await super().delete(key)
        self.deleted.release()


@dataclass
class Replacing:
    """What a test holds."""

    database: Database[Unit]
    store: SlowStore
    blobs: ObjectBlobs
    objects: Objects

    async def put(self, content: bytes) -> None:
        await self.objects.put(CALLER, TARGET, PutObject(key="key", force=True), once(content))

    async def content(self) -> bytes:
        _, content = await self.objects.read(CALLER, TARGET, "key", most_bytes=100)
        return content

    async def count(self) -> int:
        return len(await self.blobs.all())

    @asynccontextmanager
    async def worker(self, *, most_waiting: int = 10) -> AsyncIterator[None]:
        async with running(ReplacedContent(blobs=self.blobs, most_waiting=most_waiting), grace=GRACE):
            yield


async def times(count: int, what: asyncio.Semaphore) -> None:
    """Wait until something has happened so many times more."""
    for _ in range(count):
        await what.acquire()


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Replacing]:
    def write(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        unit.pipelines.insert(make_pipeline())
        unit.pipelines.insert_config(make_config())

    opened = open_database(
        tmp_path / "data" / "gofer.db", migrations="gofer.storage.migrations", make_unit=Unit, clock=SystemClock()
    )
    async with opened as database, SlowStore() as store:
        await database.write(write)
        instance = await database.read(lambda unit: unit.meta.instance_id())
        blobs = ObjectBlobs(engine=store, instance=instance)
        limits = ObjectLimits(pipeline_objects=10, run_expiry=10, size_bytes=1000)
        yield Replacing(
            database=database,
            store=store,
            blobs=blobs,
            objects=Objects(database=database, blobs=blobs, limits=limits),
        )


async def test_a_put_does_not_wait_until_what_it_replaced_is_deleted(it: Replacing) -> None:
    async with it.worker():
        for content in (b"1", b"2", b"3"):
            await it.put(content)

        assert (b"3", 3) == (await it.content(), await it.count())
        it.store.may_delete.set()
        await times(2, it.store.deleted)

        assert (b"3", 1) == (await it.content(), await it.count())


async def test_what_waits_at_a_stop_is_deleted_before_it_has_ended(it: Replacing) -> None:
    it.store.may_delete.set()
    async with it.worker():
        for content in (b"1", b"2", b"3"):
            await it.put(content)

    assert (b"3", 1) == (await it.content(), await it.count())


async def test_where_too_much_waits_a_put_deletes_what_it_replaced_itself(it: Replacing) -> None:
    async with it.worker(most_waiting=2):
        for content in (b"1", b"2", b"3"):
            await it.put(content)
        await times(2, it.store.asked)  # these two are being deleted, and two more may wait
        for content in (b"4", b"5"):
            await it.put(content)
        async with asyncio.TaskGroup() as group:
            late = group.create_task(it.put(b"6"), name="put")
            await it.store.asked.acquire()
            assert not late.done()
            it.store.may_delete.set()
        await times(5, it.store.deleted)

        assert (b"6", 1) == (await it.content(), await it.count())


async def test_without_the_worker_a_put_deletes_what_it_replaced(it: Replacing) -> None:
    it.store.may_delete.set()

    await it.put(b"1")
    await it.put(b"2")

    assert (b"2", 1) == (await it.content(), await it.count())


async def test_a_store_that_can_not_be_reached_ends_nothing_and_the_next_start_deletes(it: Replacing) -> None:
    it.store.fails = True
    it.store.may_delete.set()
    async with it.worker():
        await it.put(b"1")
        await it.put(b"2")
        await it.store.asked.acquire()
        await it.put(b"3")
    assert 3 == await it.count()
    it.store.fails = False

    assert 2 == await it.blobs.sweep(needed_content(it.database))

    assert (b"3", 1) == (await it.content(), await it.count())
