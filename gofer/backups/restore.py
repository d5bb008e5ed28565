"""Making a server's data from a backup: into places where nothing is, while no server runs there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gofer.backups.make import Tell
from gofer.backups.manifest import (
    DATABASE,
    LOGS,
    OBJECT_FILES,
    OBJECTS,
    OWN_FILES,
    SECRETS,
    Manifest,
    copy_file,
    read_manifest,
    sync_tree,
)
from gofer.config.check import KEY_BYTES
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings
from gofer.core.errors import FailedPrecondition
from gofer.files import LOCK_NAME, UNFINISHED, data_folder_lock, ensure_private_folder, sync_folder, write_private_file
from gofer.sealing import KEY_FILE, Sealer, SealingKey, open_sealer
from gofer.sqlite import open_snapshot

_SEALED: Final = "SELECT sealed FROM secret_blobs LIMIT 1000"


def restore_backup(settings: Settings, source: Path, *, tell: Tell) -> Manifest:
    """Put what a backup holds where the settings say; blocks.

    Every file is compared with what was backed up. Until all is there, no server starts in the data folder; what fails
    leaves nothing behind. `tell` hears what is being copied. Raises `FailedPrecondition` where the backup is damaged or
    unfinished, something is in those places already, a server runs, or the settings' key or engines are others.
    """
    manifest = read_manifest(source)
    manifest.check_engines(settings)
    _check_key(settings, source, manifest)
    folder = settings.data_folder
    ensure_private_folder(folder)
    with data_folder_lock(folder):
        places = _places(settings)
        _refuse_filled(settings, places)
        try:
            with _unfinished(settings, places):
                _copy(settings, source, manifest, tell)
        except OSError as error:
            raise FailedPrecondition(f"can't restore {source}: {error}", path=str(source)) from error
    return manifest


def _check_key(settings: Settings, source: Path, manifest: Manifest) -> None:
    """Raise `FailedPrecondition` unless the settings' keys open the secrets of the backup."""
    if SECRETS not in manifest.files:
        return
    with open_snapshot(source / SECRETS) as snapshot:
        sealed = snapshot.read(lambda connection: [row["sealed"] for row in connection.execute(_SEALED)])
    sealer = _sealer(settings, source, manifest) if sealed else None
    for each in sealed:
        if sealer is None or not _opens(sealer, each):
            raise FailedPrecondition(
                "the secrets of this backup were encrypted with another key: give the key that the server had in "
                "secret_store.sqlite.encryption_key, or in secret_store.sqlite.previous_encryption_keys; "
                "it is not in the backup"
            )


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.open(sealed)
    except FailedPrecondition:
        return False
    return True


def _sealer(settings: Settings, source: Path, manifest: Manifest) -> Sealer | None:
    key = settings.secret_store.sqlite.encryption_key
    if key != SAMPLE_ENCRYPTION_KEY:
        return open_sealer(settings) if len(key.encode()) == KEY_BYTES else None
    if KEY_FILE not in manifest.files or not settings.development.default_encryption:
        return None
    own = (source / KEY_FILE).read_bytes()
    return Sealer(SealingKey(own)) if len(own) == KEY_BYTES else None


def _places(settings: Settings) -> dict[str, Path]:
    """Give where each part of a backup belongs; files, and folders of files."""
    own = {name: settings.data_folder / name for name in OWN_FILES}
    return {
        **own,
        SECRETS: settings.secret_store.sqlite.path,
        OBJECTS: settings.object_store.sqlite.path,
        OBJECT_FILES: settings.object_store.filesystem.path,
        LOGS: settings.task_run_logs_dir,
        DATABASE: settings.server.storage_path,
    }


def _refuse_filled(settings: Settings, places: dict[str, Path]) -> None:
    data = settings.data_folder
    inside = {path for path in places.values() if path.parent == data and path.is_dir()}
    filled = [
        *(path for path in data.iterdir() if path.name != LOCK_NAME and path not in inside),
        *(path for path in places.values() if path.is_file() or (path.is_dir() and any(path.iterdir()))),
    ]
    if filled:
        names = ", ".join(str(path) for path in sorted(set(filled))[:5])
        raise FailedPrecondition(
            f"a backup is restored into empty places only, and there is: {names}; "
            "stop the server, and move that away or name other places",
            path=str(data),
        )


@contextmanager
def _unfinished(settings: Settings, places: dict[str, Path]) -> Iterator[None]:
    """Keep servers from starting until the block has come to its end; what was made goes where it has not."""
    mark = settings.data_folder / UNFINISHED
    write_private_file(mark, b"")
    try:
        yield
    except BaseException:
        for path in places.values():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        raise
    mark.unlink()
    sync_folder(settings.data_folder)


def _copy(settings: Settings, source: Path, manifest: Manifest, tell: Tell) -> None:
    places = _places(settings)
    told = ""
    for name, expected in sorted(manifest.files.items()):
        part, _, inner = name.partition("/")
        target = places[part] / inner if inner else places[part]
        if part != told:
            tell(part)
            told = part
        ensure_private_folder(places[part] if inner else places[part].parent)
        if copy_file(source / name, target) != expected:
            raise FailedPrecondition(f"{source / name} is not what was backed up: it is damaged", path=str(source))
    for path in {path if path.is_dir() else path.parent for path in places.values() if os.path.lexists(path)}:
        sync_tree(path)
