"""A backup that is made while the server works, and another server that goes on from it."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration

from gofer.app import App, running_app
from gofer.backups import Manifest, make_backup, restore_backup
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, DevelopmentSettings, Settings
from gofer.core.errors import FailedPrecondition
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec
from tests.service.conftest import HOST
from tests.service.test_objects import get as get_object
from tests.service.test_objects import put as put_object
from tests.service.test_secrets import get as get_secret
from tests.service.test_secrets import put as put_secret
from tests.service.test_task_runs import output, raw, run_with
from tests.service.wire import kinds

KEY = "0123456789abcdef0123456789abcdef"


def told(_: str) -> None:
    """Nobody listens."""


def moved(settings: Settings, folder: Path) -> Settings:
    """The same settings for another machine."""
    data = folder / "data"
    store, secrets = settings.object_store, settings.secret_store
    return replace(
        settings,
        task_run_logs_dir=data / "logs",
        server=replace(settings.server, storage_path=data / "gofer.db"),
        object_store=replace(
            store,
            sqlite=replace(store.sqlite, path=data / "gofer-object.db"),
            filesystem=replace(store.filesystem, path=data / "objects"),
        ),
        secret_store=replace(secrets, sqlite=replace(secrets.sqlite, path=data / "gofer-secret.db")),
    )


@pytest.fixture
def engine() -> str:
    """Where objects are kept; a test may say otherwise."""
    return "sqlite"


@pytest.fixture
def settings(engine: str, settings: Settings, tmp_path: Path) -> Settings:
    return moved(replace(settings, object_store=replace(settings.object_store, engine=engine)), tmp_path / "old")


@asynccontextmanager
async def client(app: App) -> AsyncIterator[proto.GoferStub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    channel = Channel(HOST, app.server.port, ssl=context, codec=WireCodec(), config=Configuration())
    try:
        yield proto.GoferStub(channel)
    finally:
        channel.close()


KILLED_AT_THE_LOGS = """
import os, pathlib, signal, sys
from gofer import backups
from gofer.config.load import load_settings

settings = load_settings(config_path=None, dev_mode=True, environment=os.environ, home=pathlib.Path()).settings
tell = lambda what: os.kill(os.getpid(), signal.SIGKILL) if what == "logs" else None
getattr(backups, sys.argv[1])(settings, pathlib.Path(sys.argv[2]), tell=tell)
"""


def killed_at_the_logs(work: str, settings: Settings, folder: Path) -> int:
    """Let a process do the work, which is killed when it comes to the logs; give how it ended."""
    environment = {
        "GOFER_SERVER__STORAGE_PATH": str(settings.server.storage_path),
        "GOFER_OBJECT_STORE__ENGINE": settings.object_store.engine,
    }
    return subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_LOGS, work, str(folder)],
        env=os.environ | environment,
        check=False,
        capture_output=True,
    ).returncode


async def backed_up(app: App, target: Path) -> Manifest:
    return await asyncio.to_thread(make_backup, app.settings, target, tell=told)


async def restored(settings: Settings, source: Path) -> Manifest:
    return await asyncio.to_thread(restore_backup, settings, source, tell=told)


async def fill(stub: proto.GoferStub) -> None:
    """Make something of everything that a server keeps."""
    await run_with(stub, output(b"first line\n", b"\xff\n"))
    await put_secret(stub, "db", "hunter22-hunter22")
    await put_object(stub, "cache", b"\x00\xff" * 5000)


@pytest.mark.parametrize("engine", ["sqlite", "filesystem"])
async def test_everything_is_found_again_in_an_empty_folder(app: App, stub: proto.GoferStub, tmp_path: Path) -> None:
    await fill(stub)
    events = await kinds(stub)

    made = await backed_up(app, tmp_path / "backup")
    again = await restored(moved(app.settings, tmp_path / "new"), tmp_path / "backup")

    assert again == made
    async with running_app(moved(app.settings, tmp_path / "new")) as other, client(other) as restored_stub:
        assert await get_object(restored_stub, "cache") == b"\x00\xff" * 5000
        secret = await get_secret(restored_stub, "db")
        assert secret.secret == "hunter22-hunter22"
        assert await raw(restored_stub) == b"first line\n\xff\n"
        assert await kinds(restored_stub) == events
        system = await restored_stub.get_system_info(proto.GetSystemInfoRequest())
        assert system.instance_id == made.instance


@pytest.mark.parametrize("engine", ["sqlite", "filesystem"])
async def test_no_record_of_a_backup_refers_to_what_is_not_in_it(
    app: App, stub: proto.GoferStub, tmp_path: Path
) -> None:
    await fill(stub)
    over = asyncio.Event()

    async def replace_all() -> None:
        while not over.is_set():
            await put_object(stub, "cache", os.urandom(20_000), force=True)
            await put_secret(stub, "db", os.urandom(8).hex(), force=True)

    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(replace_all(), name=f"busy {number}") for number in range(3)]
        for number in range(3):
            await backed_up(app, tmp_path / f"backup{number}")
        over.set()
    assert all(task.done() for task in busy)

    for number in range(3):
        settings = moved(app.settings, tmp_path / f"new{number}")
        await restored(settings, tmp_path / f"backup{number}")
        async with running_app(settings) as other, client(other) as restored_stub:
            assert len(await get_object(restored_stub, "cache")) in {10_000, 20_000}
            assert (await get_secret(restored_stub, "db")).secret


async def test_a_backup_is_readable_for_its_owner_alone(app: App, stub: proto.GoferStub, tmp_path: Path) -> None:
    await fill(stub)

    await backed_up(app, tmp_path / "backup")

    open_ones = [path for path in (tmp_path / "backup").rglob("*") if path.stat().st_mode & 0o077]
    assert [] == open_ones
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


async def test_nothing_is_restored_over_what_is_there(app: App, tmp_path: Path) -> None:
    await backed_up(app, tmp_path / "backup")
    settings = moved(app.settings, tmp_path / "new")
    settings.data_folder.mkdir(parents=True, mode=0o700)
    (settings.data_folder / "mine").write_text("x")

    with pytest.raises(FailedPrecondition, match="empty places only"):
        await restored(settings, tmp_path / "backup")
    with pytest.raises(FailedPrecondition, match="another Gofer server"):
        await restored(app.settings, tmp_path / "backup")
    with pytest.raises(FailedPrecondition, match="is there already"):
        await backed_up(app, tmp_path / "backup")

    assert ["gofer.lock", "mine"] == sorted(path.name for path in settings.data_folder.iterdir())


async def test_a_damaged_backup_is_told_and_leaves_nothing(app: App, stub: proto.GoferStub, tmp_path: Path) -> None:
    await fill(stub)
    made = await backed_up(app, tmp_path / "backup")
    damaged = tmp_path / "backup" / max(made.files)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    settings = moved(app.settings, tmp_path / "new")

    with pytest.raises(FailedPrecondition, match="it is damaged"):
        await restored(settings, tmp_path / "backup")

    assert ["gofer.lock"] == [path.name for path in settings.data_folder.iterdir()]


@pytest.mark.parametrize("key", [KEY, "", SAMPLE_ENCRYPTION_KEY])
async def test_another_encryption_key_is_refused(app: App, stub: proto.GoferStub, tmp_path: Path, key: str) -> None:
    await fill(stub)
    await backed_up(app, tmp_path / "backup")
    settings = moved(app.settings, tmp_path / "new")
    sqlite = replace(settings.secret_store.sqlite, encryption_key=key)
    settings = replace(settings, dev_mode=False, development=DevelopmentSettings())
    settings = replace(settings, secret_store=replace(settings.secret_store, sqlite=sqlite))

    with pytest.raises(FailedPrecondition, match="encrypted with another key"):
        await restored(settings, tmp_path / "backup")


async def test_what_was_not_finished_is_no_backup(app: App, stub: proto.GoferStub, tmp_path: Path) -> None:
    await fill(stub)
    ended = await asyncio.to_thread(killed_at_the_logs, "make_backup", app.settings, tmp_path / "backup")

    assert ended == -signal.SIGKILL
    assert not (tmp_path / "backup").exists()
    (half,) = tmp_path.glob(".backup.*.unfinished")
    with pytest.raises(FailedPrecondition, match="not finished"):
        await restored(moved(app.settings, tmp_path / "new"), half)


async def test_a_server_does_not_start_on_half_of_a_restore(app: App, stub: proto.GoferStub, tmp_path: Path) -> None:
    await fill(stub)
    await backed_up(app, tmp_path / "backup")
    settings = moved(app.settings, tmp_path / "new")
    ended = await asyncio.to_thread(killed_at_the_logs, "restore_backup", settings, tmp_path / "backup")

    assert ended == -signal.SIGKILL
    with pytest.raises(FailedPrecondition, match="was not finished"):
        async with running_app(settings):
            pass
    with pytest.raises(FailedPrecondition, match="empty places only"):
        await restored(settings, tmp_path / "backup")
