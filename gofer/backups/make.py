"""Making a backup of a server, which may go on running meanwhile.

The stores and the main database are held still in one moment, in which every record's blob is there; where one is not,
since it was replaced in that very moment, another moment is taken. A store that is copied by its engine's own means
can't be held still: what is under a key never changes, and only disappears when its record has gone, and then another
moment is taken, too. Logs only grow, and come last.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from gofer import __version__
from gofer.backups.manifest import (
    DATABASE,
    LOGS,
    NAME,
    OBJECT_FILES,
    OBJECTS,
    OWN_FILES,
    SECRET_FILES,
    SECRETS,
    Copied,
    Manifest,
    copy_file,
    look_at,
    sync_tree,
    take_over,
)
from gofer.backups.own_means import OwnMeans, own_means
from gofer.clock import Clock, SystemClock
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition, Unavailable
from gofer.core.ids import AttemptId, BlobId, InstanceId
from gofer.engines.registry import EngineRegistry
from gofer.files import FOLDER_MODE, sync_folder, write_private_file
from gofer.services.masks import mask_id
from gofer.sqlite import Connection, Snapshot, open_snapshot
from gofer.storage.unit import Unit

Tell = Callable[[str], None]
_TRIES: Final = 100
_OBJECT_KEYS: Final = "SELECT blob FROM object_blobs WHERE instance = ? AND visible = 1"
_SECRET_KEYS: Final = "SELECT blob FROM secret_blobs WHERE instance = ?"  # noqa: S105 (a statement)


def make_backup(settings: Settings, target: Path, *, tell: Tell, clock: Clock | None = None) -> Manifest:
    """Copy all that the server keeps to a folder that is not there yet, whole or not at all; blocks.

    `tell` hears what is being copied. Raises `FailedPrecondition` where something can't be read or written, and where
    a store of another package has no way to hand over what it keeps; `EngineUnavailable` where one can't be reached.
    """
    if os.path.lexists(target):
        raise FailedPrecondition(f"{target} is there already: name a folder that is not", path=str(target))
    parts = own_means(settings, EngineRegistry())
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
    try:
        aside.mkdir(mode=FOLDER_MODE, parents=True)
        now = (clock or SystemClock()).now()
        backup = _Backup(settings=settings, folder=aside, now=now, tell=tell, parts=parts)
        instance = backup.copy_stores()
        backup.copy_own_files()
        backup.copy_logs()
        manifest = Manifest(
            version=__version__,
            made_at=backup.now.isoformat(),
            instance=instance,
            object_store=settings.object_store.engine,
            secret_store=settings.secret_store.engine,
            files=backup.files,
        )
        sync_tree(aside)
        write_private_file(aside / NAME, json.dumps(manifest.to_dict(), indent=1).encode())
        aside.rename(target)  # on Linux an empty folder would be replaced, which holds nothing
        sync_folder(target.parent)
    except OSError as error:
        raise FailedPrecondition(f"can't make the backup {target}: {error}", path=str(target)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


@dataclass(slots=True, kw_only=True)
class _Backup:
    """A backup that is being made."""

    settings: Settings
    folder: Path
    now: datetime
    tell: Tell
    parts: tuple[OwnMeans, ...]
    files: dict[str, Copied] = field(default_factory=dict)

    def copy_stores(self) -> str:
        """Copy databases and objects as they are at one moment, and name the server."""
        for _ in range(_TRIES):
            instance = self._copy_moment()
            if instance is not None:
                return instance
        raise Unavailable("the server replaces its objects or secrets faster than they can be copied: try again later")

    def _copy_moment(self) -> str | None:
        with ExitStack() as stack:
            stores = [
                _Store(name=name, snapshot=stack.enter_context(open_snapshot(path))) for name, path in self._places()
            ]
            main = stack.enter_context(open_snapshot(self.settings.server.storage_path))
            unit = main.read(lambda connection: Unit(connection, self.now))
            instance = main.read(lambda _: str(unit.meta.instance_id()))
            if any(store.lacks(unit, instance) for store in stores):
                return None
            if not all(self._copy_part(part, unit, instance) for part in self.parts):
                return None
            for name, snapshot in ((DATABASE, main), *((store.name, store.snapshot) for store in stores)):
                self.tell(name)
                snapshot.copy_to(self.folder / name)
                self.files[name] = look_at(self.folder / name)
            return instance

    def copy_own_files(self) -> None:
        """Copy what dev mode keeps beside its database."""
        for name in OWN_FILES:
            if (self.settings.data_folder / name).is_file():
                self.files[name] = copy_file(self.settings.data_folder / name, self.folder / name)

    def copy_logs(self) -> None:
        """Copy every log as far as it goes; one that is deleted meanwhile is not needed."""
        root = self.settings.task_run_logs_dir
        self.tell(LOGS)
        for place, _, names in os.walk(root):
            for name in names:
                source = Path(place, name)
                inner = f"{LOGS}/{source.relative_to(root).as_posix()}"
                if source.is_symlink() or not source.is_file():
                    continue
                try:
                    self.files[inner] = copy_file(source, self.folder / inner)
                except FileNotFoundError:
                    (self.folder / inner).unlink(missing_ok=True)

    def _places(self) -> list[tuple[str, Path]]:
        settings = self.settings
        places: list[tuple[str, Path]] = []
        if settings.secret_store.engine == "sqlite":
            places.append((SECRETS, settings.secret_store.sqlite.path))
        if settings.object_store.engine == "sqlite":
            places.append((OBJECTS, settings.object_store.sqlite.path))
        return places

    def _copy_part(self, part: OwnMeans, unit: Unit, instance: str) -> bool:
        """Have a store copy itself; tell whether everything that a record names was there."""
        self.tell(part.part)
        named = unit.objects.all_named() if part.part == OBJECT_FILES else unit.secrets.all_named()
        masks = _masks(unit, instance) if part.part == SECRET_FILES else frozenset()
        folder = self.folder / part.part
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if part.back_up(instance, named | masks, folder) & named:
            return False
        self.files |= take_over(folder)
        return True


def _masks(unit: Unit, instance: str) -> frozenset[BlobId]:
    """Name what the logs of live attempts are masked with; it comes and goes without a record of it."""
    return frozenset(
        mask_id(str(AttemptId(key=key, number=number, instance=InstanceId(instance))))
        for key, number in unit.runs.live_attempts()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """A store in a database of its own, at one moment."""

    name: str
    snapshot: Snapshot

    def lacks(self, unit: Unit, instance: str) -> bool:
        """Tell whether a record names what the store does not hold."""
        is_secrets = self.name == SECRETS
        named = unit.secrets.all_named() if is_secrets else unit.objects.all_named()
        statement = _SECRET_KEYS if is_secrets else _OBJECT_KEYS

        def held(connection: Connection) -> frozenset[BlobId]:
            return frozenset(BlobId(row["blob"]) for row in connection.execute(statement, (instance,)))

        return not named <= self.snapshot.read(held)
