"""Bring a database to the schema that this version knows: numbered files, forward only, a transaction each."""

import re
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from typing import Final

from gofer.core.errors import FailedPrecondition

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step: `number` counts from 1 and is the database's `user_version` once `sql` is applied."""

    number: int
    name: str
    sql: str


def load_migrations(package: str) -> tuple[Migration, ...]:
    """Read the files `0001_name.sql`, `0002_...` of a package, in order.

    `ValueError` if the numbers have a gap or come twice: a fault of the package.
    """
    found = sorted(
        (
            Migration(number=int(match[1]), name=match[0], sql=entry.read_text(encoding="utf-8"))
            for entry in resources.files(package).iterdir()
            if (match := _NAME.fullmatch(entry.name))
        ),
        key=lambda each: each.name,
    )
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations of {package} are not numbered 1, 2, 3 ...: {[each.name for each in found]}")
    return tuple(found)


def application_id(package: str) -> int:
    """Give the number that marks the files of a package's migrations as ours, and of one kind; never 0."""
    return zlib.crc32(package.encode()) & 0x7FFF_FFFF | 1


def migrate(connection: sqlite3.Connection, migrations: Iterable[Migration], *, owner: int) -> int:
    """Apply the migrations that the database has not seen, and give its version.

    Each is applied whole or not at all. `FailedPrecondition` if the database is newer than the last migration, or is
    somebody else's: it must bear the `owner`'s number, or be from before there was one.
    """
    known = tuple(migrations)
    version = _version(connection)
    _check_owner(connection, known, version=version, owner=owner)
    if version > len(known):
        raise FailedPrecondition(
            f"the database was written by a newer Gofer (its schema is {version}, this one knows {len(known)}); "
            "start that version, or restore a backup from before the upgrade",
            version=version,
        )
    for migration in known[version:]:
        _apply(connection, migration, owner)
    if _pragma(connection, "application_id") != owner:
        connection.execute(f"PRAGMA application_id = {owner}")
    return _version(connection)


def _check_owner(connection: sqlite3.Connection, known: tuple[Migration, ...], *, version: int, owner: int) -> None:
    found = _pragma(connection, "application_id")
    if found == owner or (not found and version > len(known)):  # a newer one of ours, as far as one can see
        return
    if found or not _schema_of(known[:version]) <= _schema(connection) or (version == 0 and _schema(connection)):
        (file,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
        raise FailedPrecondition(
            f"the database {file} holds tables of another program, or of Gofer 0.6, whose data is not taken over: "
            "name another path"
        )


def _schema_of(migrations: tuple[Migration, ...]) -> frozenset[tuple[str, str]]:
    """Give what these migrations would make."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        for migration in migrations:
            scratch.executescript(migration.sql).close()
        return _schema(scratch)


def _schema(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return frozenset((row[0], row[1]) for row in rows)


def _apply(connection: sqlite3.Connection, migration: Migration, owner: int) -> None:
    # The statements that frame it are part of the script: executescript ends any transaction that is open before it.
    marks = f"PRAGMA user_version = {migration.number};\nPRAGMA application_id = {owner};"
    script = f"BEGIN IMMEDIATE;\n{migration.sql}\n;{marks}\nCOMMIT;"
    try:
        connection.executescript(script).close()
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise FailedPrecondition(
            f"the database can't be brought up to date: {migration.name}: {error}", migration=migration.name
        ) from error


def _version(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "user_version")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return int(row[0])
