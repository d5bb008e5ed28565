"""Backups of servers whose stores come from other packages."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from gofer.app import App, running_app
from gofer.backups import make_backup
from gofer.config.settings import DevelopmentSettings, Settings
from gofer.core.errors import EngineUnavailable, FailedPrecondition
from gofer_sdk._proto import proto
from tests.fakes.package import install
from tests.service.test_backup import KEY, backed_up, client, moved, restored, told
from tests.service.test_secrets import get as get_secret
from tests.service.test_secrets import put as put_secret
from tests.service.test_task_runs import HOLD, happened
from tests.service.wire import start, task, up

EXAMPLE: Final = Path(__file__).resolve().parents[2] / "examples" / "engine"
BROKEN: Final = """
import gofer_shelf
class Broken(gofer_shelf.Shelf):
    async def back_up(self, keys, folder):
        raise ValueError("the shelf fell down")
def create(settings):
    return Broken(gofer_shelf.Path(settings["folder"]))
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where packages look installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(EXAMPLE)
    return folder


def on_shelf(settings: Settings, folder: Path, name: str = "shelf") -> Settings:
    block = MappingProxyType({name: MappingProxyType({"folder": str(folder)})})
    return replace(settings, secret_store=replace(settings.secret_store, engine=name, other=block))


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, site: Path) -> Settings:
    install(tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"], site)
    return on_shelf(moved(settings, tmp_path / "old"), tmp_path / "shelf")


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    """The same settings for another machine."""
    return on_shelf(moved(settings, tmp_path / "new"), tmp_path / "new-shelf")


@pytest.fixture
async def backup(app: App, stub: proto.GoferStub, tmp_path: Path) -> AsyncIterator[Path]:
    """A backup of a server with a secret and a task that has got it."""
    await up(stub, task("hello", variables=HOLD | {"PASSWORD": "secret{{db}}"}))
    await put_secret(stub, "db", "hunter22-hunter22")
    await start(stub)
    await happened(stub, "TASKRUN_STARTED")
    await backed_up(app, tmp_path / "backup")
    yield tmp_path / "backup"
    await stub.cancel_all_runs(proto.CancelAllRunsRequest(pipeline_id="simple", force=True))


async def test_a_store_of_another_package_is_in_the_backup(backup: Path, elsewhere: Settings) -> None:
    await restored(elsewhere, backup)

    async with running_app(elsewhere) as other, client(other) as stub:
        assert "hunter22-hunter22" == (await get_secret(stub, "db")).secret


async def test_so_is_what_the_logs_of_live_tasks_are_masked_with(backup: Path) -> None:
    assert ["mask-"] == [path.name[:5] for path in backup.glob("secrets/*/mask-*")]


async def test_what_another_package_has_put_there_is_readable_for_its_owner_alone(backup: Path) -> None:
    assert [] == [path for path in backup.rglob("*") if path.stat().st_mode & 0o077]


async def test_what_is_not_what_another_package_has_put_there_is_told(backup: Path, elsewhere: Settings) -> None:
    instance = next((backup / "secrets").iterdir())
    (instance / "one-more").write_bytes(b"x")

    with pytest.raises(FailedPrecondition, match=r"one-more is not what was backed up: it is damaged"):
        await restored(elsewhere, backup)

    (instance / "one-more").unlink()
    next(instance.iterdir()).write_bytes(b"x")
    with pytest.raises(FailedPrecondition, match="it is damaged"):
        await restored(elsewhere, backup)
    assert ["gofer.lock"] == [path.name for path in elsewhere.data_folder.iterdir()]


async def test_another_key_is_refused_and_the_right_one_taken_afterwards(backup: Path, elsewhere: Settings) -> None:
    production = replace(elsewhere, dev_mode=False, development=DevelopmentSettings())
    sqlite = replace(elsewhere.secret_store.sqlite, encryption_key=KEY)
    production = replace(production, secret_store=replace(production.secret_store, sqlite=sqlite))

    with pytest.raises(FailedPrecondition, match="encrypted with another key"):
        await restored(production, backup)

    assert ["gofer.lock"] == [path.name for path in elsewhere.data_folder.iterdir()]
    await restored(elsewhere, backup)
    async with running_app(elsewhere) as other, client(other) as stub:
        assert "hunter22-hunter22" == (await get_secret(stub, "db")).secret


async def test_a_store_that_fails_at_it_is_told_in_words(
    app: App, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "gofer_broken.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(site)  # which has Python look at the folder again
    declared = {"gofer.secret_store_engines": {"broken": "gofer_broken:create"}}
    install({"name": "gofer-broken", "version": "1", "entry-points": declared}, site)
    settings = on_shelf(app.settings, tmp_path / "shelf", "broken")

    with pytest.raises(EngineUnavailable, match=r"engine broken can't be backed up: ValueError: the shelf fell down"):
        await asyncio.to_thread(make_backup, settings, tmp_path / "backup", tell=told)

    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("store", ["object_store", "secret_store"])
def test_one_without_a_way_to_it_is_refused_with_what_to_do(
    settings: Settings, site: Path, tmp_path: Path, store: str
) -> None:
    declared = {f"gofer.{store}_engines": {"drawer": f"gofer.engines.{store}.memory:create"}}
    install({"name": "gofer-drawer", "version": "1", "entry-points": declared}, site)
    if store == "object_store":
        settings = replace(settings, object_store=replace(settings.object_store, engine="drawer"))
    else:
        settings = replace(settings, secret_store=replace(settings.secret_store, engine="drawer"))

    with pytest.raises(FailedPrecondition) as refused:
        make_backup(settings, tmp_path / "backup", tell=told)

    what = store.replace("_", " ")
    assert refused.value.message == (
        f"the {what} engine drawer keeps its data elsewhere, and has no way to hand it to a backup: stop the server, "
        f"and copy {settings.data_folder} and {settings.task_run_logs_dir} together with what that engine keeps, "
        "by its own means"
    )
    assert not (tmp_path / "backup").exists()
