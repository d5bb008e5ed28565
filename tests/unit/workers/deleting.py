"""What the tests of deletion share: a server that can delete, and something to delete."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from gofer.clock import SystemClock
from gofer.core.access import Caller
from gofer.core.ids import EventId, NamespaceId, PipelineId
from gofer.core.pipeline import ConfigState
from gofer.core.secret import Secret
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.lifecycle import running
from gofer.services.deletion import Deletion
from gofer.services.namespaces import NamespaceDraft, Namespaces
from gofer.services.object_blobs import ObjectBlobs
from gofer.services.object_rules import ObjectLimits, ObjectTarget
from gofer.services.objects import Objects, PutObject
from gofer.services.removal import Removal
from gofer.services.runs import Target
from gofer.services.secrets import PutSecret
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer.workers.deleter import Deleter
from tests.factories import KEY, make_config, make_deployment, make_pipeline
from tests.unit.workers.conftest import CALLER, World, container

T = TypeVar("T")

GRACE = timedelta(minutes=1)
TARGET = Target(namespace="", pipeline=KEY.pipeline)
OBJECTS = ObjectTarget(namespace="", pipeline=KEY.pipeline)
TEAM = NamespaceId("team")
STRANGER = Caller(name="stranger", is_admin=False)


class HastyClock(SystemClock):
    """A clock by which every moment is late."""

    def __init__(self) -> None:
        self._seconds = 0

    def monotonic(self) -> timedelta:
        self._seconds += 1
        return timedelta(seconds=self._seconds)


@dataclass
class Deleting:
    """A server that can delete, and what it deletes from."""

    world: World
    objects: Objects
    blobs: ObjectBlobs
    deletion: Deletion

    @asynccontextmanager
    async def deleter(self) -> AsyncIterator[Deleter]:
        made = self.make_deleter()
        async with running(made, grace=GRACE):
            yield made

    def make_deleter(self) -> Deleter:
        return Deleter(bus=self.world.bus, removal=self.removal(), parts=self.world.parts)

    def removal(self, database: Database[Unit] | None = None, *, clock: SystemClock | None = None) -> Removal:
        world = self.world
        return Removal(
            database=database or world.database,
            logs=world.logs,
            objects=self.blobs,
            secrets=world.blobs,
            clock=clock or SystemClock(),
        )

    async def fill(self, *, runs: int = 3) -> None:
        """Make a pipeline that has something of everything."""
        world = self.world
        await world.register(container("one", log="words"), container("two", needs=["one"]))
        keys = [await world.start_run() for _ in range(runs)]
        await world.until_over(*keys)
        await world.secrets.put(CALLER, TARGET, PutSecret(key="db", value=Secret("hunter22")))
        for run in (None, *(key.run for key in keys[-2:])):
            await self.objects.put(CALLER, replace(OBJECTS, run=run), PutObject(key="key"), content())
        await world.database.write(lambda unit: unit.pipelines.insert_deployment(make_deployment()))
        await world.until_nothing_is_left()

    async def left(self) -> dict[str, int]:
        """Count what is left of any pipeline: rows, files and blobs."""
        tables = ("pipelines", "pipeline_configs", "deployments", "runs", "task_runs", "objects", "pipeline_secrets")

        def count(unit: Unit) -> dict[str, int]:
            connection = unit.runs._connection  # noqa: SLF001 - behind everybody's back
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
                for table in tables
            }

        counts = await self.world.database.read(count)
        root = self.world.logs._root  # noqa: SLF001 - as above
        counts["files"] = len(list(root.rglob("*")))
        counts["blobs"] = len(await self.world.blobs.all())
        counts["content"] = len(self.blobs._engine._blobs)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        return {name: number for name, number in counts.items() if number}

    async def kinds(self) -> list[str]:
        events = await self.world.database.read(lambda unit: unit.journal.list(EventId(0), 10_000))
        return [each.event.kind for each in events]


async def content() -> AsyncIterator[bytes]:
    yield b"content"


def make_deleting(world: World) -> Deleting:
    blobs = ObjectBlobs(engine=MemoryObjectStore(), instance=world.parts.instance)
    limits = ObjectLimits(pipeline_objects=10, run_expiry=10, size_bytes=1000)
    return Deleting(
        world=world,
        objects=Objects(database=world.database, blobs=blobs, limits=limits),
        blobs=blobs,
        deletion=Deletion(database=world.database, bus=world.bus, clock=SystemClock()),
    )


async def make_namespace(it: Deleting, name: str = TEAM) -> None:
    await Namespaces(database=it.world.database).create(CALLER, NamespaceDraft(id=name, name=name, description=""))


async def make_pipelines(it: Deleting, *names: str) -> None:
    def write(unit: Unit) -> None:
        for name in names:
            pipeline = PipelineId(name)
            unit.pipelines.insert(make_pipeline(namespace=TEAM, id=pipeline))
            unit.pipelines.insert_config(make_config(namespace=TEAM, pipeline=pipeline, state=ConfigState.LIVE))

    await it.world.database.write(write)
