"""Making a server's data from a backup: into places where nothing is, while no server runs there."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gofer.backups.keys import check_key, check_restored_key
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
    look_at,
    read_manifest,
    sync_tree,
)
from gofer.backups.own_means import OwnMeans, own_means
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer.engines.registry import EngineRegistry
from gofer.files import LOCK_NAME, UNFINISHED, data_folder_lock, ensure_private_folder, sync_folder, write_private_file


def restore_backup(settings: Settings, source: Path, *, tell: Tell) -> Manifest:
    """Put what a backup holds where the settings say; blocks.

    Every file is compared with what was backed up. Until all is there, no server starts in the data folder; what fails
    leaves nothing behind, but for what stores of other packages have taken already. `tell` hears what is being copied.
    Raises `FailedPrecondition` where the backup is damaged or unfinished, something is in those places already, a
    server runs, or the settings' key or engines are others; `EngineUnavailable` where a store can't be reached.
    """
    registry = EngineRegistry()
    manifest = read_manifest(source)
    manifest.check_engines(settings)
    parts = own_means(settings, registry)
    check_key(settings, source, manifest)
    folder = settings.data_folder
    ensure_private_folder(folder)
    with data_folder_lock(folder):
        places = _places(settings)
        _refuse_filled(settings, places)
        try:
            with _unfinished(settings, places):
                _copy(settings, source, manifest, tell)
                _restore_parts(source, parts, manifest, tell)
                check_restored_key(settings, source, manifest, registry)
        except OSError as error:
            raise FailedPrecondition(f"can't restore {source}: {error}", path=str(source)) from error
    return manifest


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
        if inner and part != LOGS:
            continue  # a store takes these by its own means
        target = places[part] / inner if inner else places[part]
        if part != told:
            tell(part)
            told = part
        ensure_private_folder(places[part] if inner else places[part].parent)
        if copy_file(source / name, target) != expected:
            raise _damaged(source / name)
    for path in {path if path.is_dir() else path.parent for path in places.values() if os.path.lexists(path)}:
        sync_tree(path)


def _restore_parts(source: Path, parts: Sequence[OwnMeans], manifest: Manifest, tell: Tell) -> None:
    for part in parts:
        _check_part(source, part, manifest)
        tell(part.part)
        part.restore(source / part.part)


def _check_part(source: Path, part: OwnMeans, manifest: Manifest) -> None:
    """Raise `FailedPrecondition` unless the folder of a part holds what was backed up, and nothing else."""
    expected = {name: copied for name, copied in manifest.files.items() if name.startswith(f"{part.part}/")}
    there = {path.relative_to(source).as_posix() for path in (source / part.part).rglob("*") if not path.is_dir()}
    for name in sorted(expected.keys() | there):
        path = source / name
        if path.is_symlink() or name not in expected or look_at(path) != expected[name]:
            raise _damaged(path)


def _damaged(path: Path) -> FailedPrecondition:
    return FailedPrecondition(f"{path} is not what was backed up: it is damaged", path=str(path))
