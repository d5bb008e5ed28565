"""A new encryption key, while the server runs."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gofer.clock import SystemClock
from gofer.config.settings import SqliteSecretStoreSettings
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, PermissionDenied
from gofer.core.ids import InstanceId, Version
from gofer.core.pipeline import RegistryAuth
from gofer.core.secret import Secret
from gofer.engines.secret_store.sqlite import SqliteSecretStore
from gofer.sealing import Sealer, SealingKey
from gofer.services.blobs import SealedBlobs
from gofer.services.masks import NeededBlobs
from gofer.services.namespaces import Namespaces
from gofer.services.rotation import KeyRotation, RotationProgress
from gofer.services.runs import Target
from gofer.services.secrets import PipelineSecrets, PutSecret
from gofer.sqlite import Database, open_database
from gofer.storage.unit import Unit
from tests.factories import KEY, make_config, make_pipeline, make_task

ADMIN = Caller(name="tester", is_admin=True)
TARGET = Target(namespace="", pipeline=KEY.pipeline)
OLD, NEW, LOST = (SealingKey(bytes([number]) * 32) for number in (1, 2, 3))
INSTANCE = InstanceId("0123456789ab")
COUNT = 60


class Server:
    """The parts of a server that have to do with keys."""

    def __init__(self, database: Database[Unit], store: SqliteSecretStore, sealer: Sealer) -> None:
        self.database = database
        self.sealer = sealer
        self.blobs = SealedBlobs(engine=store, sealer=sealer, instance=INSTANCE)
        self.secrets = PipelineSecrets(database=database, blobs=self.blobs)
        needed = NeededBlobs(database=database, instance=INSTANCE)
        self.rotation = KeyRotation(database=database, blobs=self.blobs, sealer=sealer, needed=needed)

    async def put(self, count: int) -> None:
        commands = [PutSecret(key=f"k{number}", value=Secret(f"value {number}")) for number in range(count)]
        await asyncio.gather(*(self.secrets.put(ADMIN, TARGET, command) for command in commands))

    async def values(self, count: int) -> list[str]:
        found = [await self.secrets.get(ADMIN, TARGET, f"k{number}", with_value=True) for number in range(count)]
        return [each.value.reveal() for each in found if each.value is not None]

    async def rotate(self) -> RotationProgress:
        return [progress async for progress in self.rotation.run(ADMIN)][-1]


@asynccontextmanager
async def server(folder: Path, current: SealingKey, *previous: SealingKey) -> AsyncIterator[Server]:
    settings = SqliteSecretStoreSettings(path=folder / "data" / "secrets.db")
    async with (
        open_database(
            folder / "data" / "gofer.db", migrations="gofer.storage.migrations", make_unit=Unit, clock=SystemClock()
        ) as database,
        SqliteSecretStore(settings, clock=SystemClock()) as store,
    ):
        await Namespaces(database=database).ensure_default()
        yield Server(database, store, Sealer(current, previous=previous))


async def register(it: Server, password: bytes) -> None:
    auth = RegistryAuth(user="me", sealed_password=it.sealer.seal(password))

    def write(unit: Unit) -> None:
        unit.pipelines.insert(make_pipeline())
        unit.pipelines.insert_config(make_config(tasks=(make_task(registry_auth=auth), make_task("other"))))
        unit.pipelines.insert_config(make_config(2))

    await it.database.write(write)


async def password(it: Server) -> bytes:
    config = await it.database.read(lambda unit: unit.pipelines.get_config(KEY, Version(1)))
    auth = config.tasks[0].registry_auth
    assert auth is not None
    return it.sealer.open(auth.sealed_password)


async def test_everything_is_sealed_anew_and_the_old_key_is_not_needed_any_more(tmp_path: Path) -> None:
    async with server(tmp_path, OLD) as before:
        await register(before, b"hunter22")
        await before.put(COUNT)
    async with server(tmp_path, NEW, OLD) as during:
        done = await during.rotate()
        again = await during.rotate()
    async with server(tmp_path, NEW) as after:
        assert [f"value {number}" for number in range(COUNT)] == await after.values(COUNT)
        assert b"hunter22" == await password(after)

    assert RotationProgress(done=COUNT + 1, total=COUNT + 1, resealed=COUNT + 1) == done
    assert RotationProgress(done=COUNT + 1, total=COUNT + 1) == again


async def test_an_interrupted_rotation_is_gone_on_with(tmp_path: Path) -> None:
    async with server(tmp_path, OLD) as before:
        await register(before, b"hunter22")
        await before.put(COUNT)
    async with server(tmp_path, NEW, OLD) as during:
        steps = during.rotation.run(ADMIN)
        await anext(steps)
        first = await anext(steps)
        await steps.aclose()  # the caller has gone
        assert [f"value {number}" for number in range(COUNT)] == await during.values(COUNT)
        rest = await during.rotate()

    assert 0 < first.resealed < COUNT
    assert COUNT + 1 == first.resealed + rest.resealed


async def test_work_goes_on_during_a_rotation(tmp_path: Path) -> None:
    async with server(tmp_path, OLD) as before:
        await register(before, b"hunter22")
        await before.put(COUNT)
    async with server(tmp_path, NEW, OLD) as during:
        async for _ in during.rotation.run(ADMIN):
            await during.secrets.put(ADMIN, TARGET, PutSecret(key="k0", value=Secret("newer"), force=True))
        values = await during.values(COUNT)
        blobs = await during.blobs.all()

    assert ["newer", *(f"value {number}" for number in range(1, COUNT))] == values
    assert COUNT == len(blobs)


async def test_what_no_key_opens_is_counted_and_left(tmp_path: Path) -> None:
    async with server(tmp_path, LOST) as before:
        await register(before, b"hunter22")
        await before.put(3)
    async with server(tmp_path, NEW, OLD) as during:
        done = await during.rotate()
    async with server(tmp_path, LOST) as after:
        assert ["value 0", "value 1", "value 2"] == await after.values(3)

    assert RotationProgress(done=4, total=4, unreadable=4) == done


async def test_only_an_admin_rotates_and_only_one_at_a_time(tmp_path: Path) -> None:
    async with server(tmp_path, NEW, OLD) as it:
        with pytest.raises(PermissionDenied):
            await anext(it.rotation.run(Caller(name="somebody", is_admin=False)))
        first = it.rotation.run(ADMIN)
        await anext(first)
        with pytest.raises(FailedPrecondition, match="already"):
            await anext(it.rotation.run(ADMIN))
        await first.aclose()
        assert RotationProgress() == await it.rotate()


async def test_nothing_sealed_with_the_old_key_lingers_in_the_store(tmp_path: Path) -> None:
    async with server(tmp_path, OLD) as before:
        await register(before, b"hunter22")
        await before.put(COUNT)
    path = tmp_path / "data" / "secrets.db"
    with sqlite3.connect(path) as connection:
        (sealed,) = connection.execute("SELECT sealed FROM secret_blobs LIMIT 1").fetchone()
    connection.close()
    async with server(tmp_path, NEW, OLD) as during:
        await during.rotate()

    assert bytes(sealed)[-24:] not in path.read_bytes()
