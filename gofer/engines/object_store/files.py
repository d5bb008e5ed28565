"""Files that are written and read in threads, and finished for good while one of those may still be at work.

Everything here blocks; call it in a thread. Calls of one object wait for each other.
"""

import os
import threading
from pathlib import Path
from typing import Final

from gofer.engines.object_store.pieces import PIECE_BYTES
from gofer.files import FILE_MODE, FOLDER_MODE, sync_folder

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _File:
    """One descriptor of one path, opened at first use."""

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._flags = flags
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._over = False

    def _opened(self) -> int:
        if self._over:
            raise FileNotFoundError(str(self._path))
        if self._descriptor is None:
            self._descriptor = os.open(self._path, self._flags, FILE_MODE)
        return self._descriptor

    def _end(self) -> None:
        self._over = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Reading(_File):
    """A file that is read from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _READ)

    def read(self) -> bytes:
        """Give the next piece, empty at the end. Raises `FileNotFoundError`."""
        with self._lock:
            return os.read(self._opened(), PIECE_BYTES)

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._end()


class Upload(_File):
    """A file that is written aside, and then put in its place or removed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MAKE)

    def write(self, content: bytes) -> None:
        """Write some more."""
        with self._lock:
            descriptor = self._opened()
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]

    def copy(self, source: Path) -> None:
        """Write all that another file holds."""
        with source.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                self.write(piece)

    def publish(self, target: Path) -> None:
        """Put the file in its place, whole or not at all, also when the power fails."""
        with self._lock:
            os.fsync(self._opened())
            made = _make_folders(target.parent)
            self._path.replace(target)
            for folder in (target.parent, *made):
                sync_folder(folder)
            self._end()

    def abandon(self) -> None:
        """Remove the file, unless it is in its place already."""
        with self._lock:
            self._end()
            self._path.unlink(missing_ok=True)


def copied(source: Path, target: Path) -> bool:
    """Copy a file that never changes, unless it was copied before; tell whether it was there."""
    if target.exists():
        return True
    reading = Reading(source)
    try:
        piece = reading.read()
        target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with target.open("xb") as copy:
            while piece:
                copy.write(piece)
                piece = reading.read()
    except FileNotFoundError:
        return False
    finally:
        reading.close()
    return True


def _make_folders(folder: Path) -> tuple[Path, ...]:
    """Make a folder and the one above it, and name the folders that have got a new entry."""
    changed = []
    for each in (folder.parent, folder):
        try:
            each.mkdir(mode=FOLDER_MODE)
        except FileExistsError:
            continue
        changed.append(each.parent)
    return tuple(changed)
