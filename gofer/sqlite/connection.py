"""Connections, and running plain functions on their own threads."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar, cast

import aiosqlite

from gofer.core.errors import FailedPrecondition
from gofer.files import ensure_private_file, ensure_private_folder
from gofer.sqlite.errors import PRIMARY_CODE

T = TypeVar("T")

_PRAGMAS: Final = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)
_WRITER_PRAGMAS: Final = (
    *_PRAGMAS,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # what was acknowledged survives a power failure
)
_READER_PRAGMAS: Final = (*_PRAGMAS, "PRAGMA query_only=ON")
_CACHED_STATEMENTS: Final = 512
_FIXES: Final = {
    sqlite3.SQLITE_READONLY: "see that this server's user may write it and its folder",
    sqlite3.SQLITE_CANTOPEN: "see that this server's user may write it and its folder",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see that its disk works and has room",
}


class FunctionConnection(sqlite3.Connection):
    """A connection whose `execute` also runs a plain function of the connection.

    aiosqlite hands the argument of its `execute` to this one on the connection's thread, so that a whole group of
    statements costs one hop to the thread and back, not one each.
    """

    def execute(
        self,
        sql: "str | Callable[[sqlite3.Connection], None]",
        parameters: "sqlite3._Parameters" = (),
        /,
    ) -> sqlite3.Cursor:
        """Run a statement, or a function of the connection."""
        if callable(sql):
            sql(self)
            return self.cursor()
        return super().execute(sql, parameters)


@asynccontextmanager
async def writer_connection(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open the database for writing for the length of the block, made if it is missing, private to this user."""
    await asyncio.to_thread(ensure_private_folder, path.parent)
    await asyncio.to_thread(ensure_private_file, path)
    async with _connection(path, mode="rw", pragmas=_WRITER_PRAGMAS) as connection:
        yield connection


@asynccontextmanager
async def reader_connection(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open an existing database for reading only, for the length of the block."""
    async with _connection(path, mode="ro", pragmas=_READER_PRAGMAS) as connection:
        yield connection


async def on_thread(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Run `function` on the connection's thread and give what it returns, or raise what it raises.

    Cancelling the wait does not end the function.
    """
    results: list[T] = []
    is_wanted = True

    def keep(raw: sqlite3.Connection) -> None:
        try:
            result = function(raw)
        except StopIteration as error:  # no future can carry it: the caller would wait for ever
            raise RuntimeError("a database function raised StopIteration") from error
        if is_wanted:
            results.append(result)

    try:
        await connection.execute(cast("str", keep))  # FunctionConnection takes it
        return results.pop()
    finally:  # the thread remembers its last job, and would remember the result with it
        is_wanted = False
        results.clear()


@asynccontextmanager
async def _connection(path: Path, *, mode: str, pragmas: tuple[str, ...]) -> AsyncIterator[aiosqlite.Connection]:
    def prepare(raw: sqlite3.Connection) -> None:
        raw.row_factory = sqlite3.Row
        for pragma in pragmas:
            raw.execute(pragma).close()

    async with aiosqlite.connect(  # leaving closes it: an open connection's thread would keep the process alive
        _uri(path, mode),
        uri=True,
        factory=FunctionConnection,
        isolation_level=None,
        cached_statements=_CACHED_STATEMENTS,
    ) as connection:
        try:
            await on_thread(connection, prepare)
        except sqlite3.DatabaseError as error:
            code: int = getattr(error, "sqlite_errorcode", 0)
            fix = _FIXES.get(code & PRIMARY_CODE, "restore it from a backup, or name another path")
            raise FailedPrecondition(f"{path} can't be used as a database: {error}; {fix}", path=str(path)) from error
        yield connection


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"
