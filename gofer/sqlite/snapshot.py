"""A database file as it is at one moment, while its owner, another process, goes on writing it.

Everything here blocks.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from gofer.core.errors import FailedPrecondition
from gofer.files import FILE_MODE

T = TypeVar("T")

_MAKE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Snapshot:
    """What the file holds at the moment at which this was made; made by `open_snapshot`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Give what a function of the connection returns; it only reads."""
        with _explained(self._path):
            return function(self._connection)

    def copy_to(self, target: Path) -> None:
        """Make a file of it, readable for this user alone, sound and on the disk. `target` must not be there."""
        os.close(os.open(target, _MAKE, FILE_MODE))
        with _explained(self._path), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            self._connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, nothing beside it
            found = copy.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise FailedPrecondition(f"{self._path} is damaged: {found}", path=str(self._path))
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def open_snapshot(path: Path) -> Iterator[Snapshot]:
    """Hold what the file holds now, for the length of the block; whoever writes it is not held up.

    `FailedPrecondition` where it can't be read.
    """
    if not path.is_file():
        raise FailedPrecondition(f"there is no database {path}", path=str(path))
    with _explained(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(connection):
        with _explained(path):
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA busy_timeout=5000").close()
            connection.execute("BEGIN").close()
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on it stands still
        yield Snapshot(path, connection)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise FailedPrecondition(f"{path} can't be copied: {error}", path=str(path)) from error
