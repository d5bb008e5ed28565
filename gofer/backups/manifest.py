"""What a backup holds, written last: a folder without it is no backup."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer.files import FILE_MODE, FOLDER_MODE, sync_folder

NAME: Final = "manifest.json"
FORMAT: Final = 1
DATABASE: Final = "gofer.db"
SECRETS: Final = "secrets.db"
OBJECTS: Final = "objects.db"
OBJECT_FILES: Final = "objects"
SECRET_FILES: Final = "secrets"  # noqa: S105 (the name of a folder)
LOGS: Final = "logs"
OWN_FILES: Final = ("encryption.key", "server-tls.pem")
"""What dev mode keeps in the data folder itself."""

_PARTS: Final = frozenset({DATABASE, SECRETS, OBJECTS, OBJECT_FILES, SECRET_FILES, LOGS, *OWN_FILES})
_PIECE_BYTES: Final = 1024 * 1024
_MAKE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file of a backup."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What there is, by its path within the backup, and of which server."""

    version: str
    made_at: str
    instance: str
    object_store: str
    secret_store: str
    files: Mapping[str, Copied]

    @property
    def size_bytes(self) -> int:
        """Give the size of all of it."""
        return sum(file.size_bytes for file in self.files.values())

    def to_dict(self) -> dict[str, object]:
        """Give it as JSON has it."""
        return {
            "format": FORMAT,
            "version": self.version,
            "made_at": self.made_at,
            "instance": self.instance,
            "object_store": self.object_store,
            "secret_store": self.secret_store,
            "files": {
                path: {"size_bytes": file.size_bytes, "sha256": file.sha256}
                for path, file in sorted(self.files.items())
            },
        }

    def check_engines(self, settings: Settings) -> None:
        """Raise `FailedPrecondition` unless the settings name the engines that the backup was made from."""
        for name, made_with, chosen in (
            ("object_store", self.object_store, settings.object_store.engine),
            ("secret_store", self.secret_store, settings.secret_store.engine),
        ):
            if made_with != chosen:
                raise FailedPrecondition(
                    f"the backup was made from the {name} engine {made_with!r}, and {name}.engine is {chosen!r}: "
                    f"restore it with {made_with!r}"
                )


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup holds. `FailedPrecondition` where it is none, or none of this program's."""
    try:
        tree = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if tree["format"] != FORMAT:
            raise FailedPrecondition(f"{folder} is a backup of a newer Gofer: restore it with that one")
        files = {
            _inner(path): Copied(size_bytes=file["size_bytes"], sha256=file["sha256"])
            for path, file in tree["files"].items()
        }
        return Manifest(
            version=tree["version"],
            made_at=tree["made_at"],
            instance=tree["instance"],
            object_store=tree["object_store"],
            secret_store=tree["secret_store"],
            files=files,
        )
    except FileNotFoundError:
        raise FailedPrecondition(
            f"{folder} is no backup, or one that was not finished: there is no {NAME}", path=str(folder)
        ) from None
    except OSError as error:
        raise FailedPrecondition(f"{folder / NAME} can't be read: {error.strerror}", path=str(folder)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FailedPrecondition(f"{folder / NAME} is damaged: {error}", path=str(folder)) from error


def copy_file(source: Path, target: Path) -> Copied:
    """Copy a regular file to where none is, onto the disk, and tell what was copied. Raises `OSError`."""
    digest, size_bytes = hashlib.sha256(), 0
    for folder in reversed([each for each in target.parents if not each.exists()]):
        folder.mkdir(mode=FOLDER_MODE)  # each of them: `parents` would leave all but the last open to others
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(reading, "rb") as file, os.fdopen(os.open(target, _MAKE, FILE_MODE), "wb") as copy:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            size_bytes += len(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    return Copied(size_bytes=size_bytes, sha256=digest.hexdigest())


def look_at(path: Path) -> Copied:
    """Tell what a file holds that was made already."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return Copied(size_bytes=path.stat().st_size, sha256=digest.hexdigest())


def take_over(folder: Path) -> dict[str, Copied]:
    """Close what somebody else has put into a folder of a backup to others, have it on the disk, and tell what it is.

    `FailedPrecondition` where there is anything but files and folders.
    """
    found: dict[str, Copied] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise FailedPrecondition(f"{path} is neither a file nor a folder", path=str(path))
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            found[path.relative_to(folder.parent).as_posix()] = look_at(path)
    return found


def sync_tree(folder: Path) -> None:
    """Have the names of everything below a folder on the disk."""
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _inner(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise ValueError(f"{path!r} leads out of the backup")
    if parts.parts[0] not in _PARTS:
        raise ValueError(f"{path!r} is no part of a backup")
    return path
