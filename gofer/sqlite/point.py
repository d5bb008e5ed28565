"""Reads of a few small rows by their keys, on the event loop itself.

A read in a thread costs two changes of threads, ten times what looking a row up costs. So what is found by a key in an
index and is small is looked up at once; in WAL mode neither the writer nor a checkpoint holds that up. Lists, scans and
large values belong into a thread. See docs/pages/adr/0014-look-ups-on-the-loop.md.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from gofer.core.errors import ShuttingDown
from gofer.sqlite.connection import open_to_read
from gofer.sqlite.errors import translate

T = TypeVar("T")
U = TypeVar("U")


class NotNow(Exception):
    """The database is locked; a read that may wait gets what this one did not."""


class PointReader(Generic[U]):
    """One connection that cannot write, used on the event loop; `Database` is its public face."""

    def __init__(
        self,
        raw: sqlite3.Connection,
        *,
        make_unit: Callable[[sqlite3.Connection, datetime], U],
        now: Callable[[], datetime],
    ) -> None:
        self._raw: sqlite3.Connection | None = raw
        self._make_unit = make_unit
        self._now = now

    def read(self, function: Callable[[U], T]) -> T:
        """Run `function` in a transaction of its own. Raises `NotNow`, and as `Database.read`."""
        raw = self._raw
        if raw is None:
            raise ShuttingDown("the database is closing")
        try:
            raw.execute("BEGIN")
            try:
                return function(self._make_unit(raw, self._now()))
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise NotNow from error
            raise translate(error) from error
        except sqlite3.Error as error:
            raise translate(error) from error

    def close(self) -> None:
        """Close the connection."""
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.close()


@contextmanager
def open_point_reader(
    path: Path, *, make_unit: Callable[[sqlite3.Connection, datetime], U], now: Callable[[], datetime]
) -> Iterator[PointReader[U]]:
    """Open an existing database for the length of the block."""
    reader = PointReader(open_to_read(path), make_unit=make_unit, now=now)
    try:
        yield reader
    finally:
        reader.close()
