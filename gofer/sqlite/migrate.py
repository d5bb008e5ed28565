"""Bring a database to the schema that this version knows: numbered files, forward only, a transaction each."""

import re
import sqlite3
from collections.abc import Iterable
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


def migrate(connection: sqlite3.Connection, migrations: Iterable[Migration]) -> int:
    """Apply the migrations that the database has not seen, and give its version.

    Each is applied whole or not at all. `FailedPrecondition` if the database is newer than the last migration, or is
    somebody else's.
    """
    known = tuple(migrations)
    version = _version(connection)
    if version > len(known):
        raise FailedPrecondition(
            f"the database was written by a newer Gofer (its schema is {version}, this one knows {len(known)}); "
            "start that version, or restore a backup from before the upgrade",
            version=version,
        )
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        (file,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
        raise FailedPrecondition(
            f"the database {file} holds tables of another program, or of Gofer 0.6, whose data is not taken over: "
            "name another path"
        )
    for migration in known[version:]:
        _apply(connection, migration)
    return _version(connection)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    # The statements that frame it are part of the script: executescript ends any transaction that is open before it.
    script = f"BEGIN IMMEDIATE;\n{migration.sql}\n;PRAGMA user_version = {migration.number};\nCOMMIT;"
    try:
        connection.executescript(script).close()
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise FailedPrecondition(
            f"the database can't be brought up to date: {migration.name}: {error}", migration=migration.name
        ) from error


def _version(connection: sqlite3.Connection) -> int:
    row = connection.execute("PRAGMA user_version").fetchone()
    return int(row[0])
