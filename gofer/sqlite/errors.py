"""The one place that turns what SQLite says into what Gofer says."""

import sqlite3
from typing import Final

from gofer.core.errors import AlreadyExists, FailedPrecondition, Unavailable

_EXISTS: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
PRIMARY_CODE: Final = 0xFF
"""The low byte of an extended code is the kind of error."""


def translate(error: Exception) -> Exception:
    """Give the error that callers should see for `error`; one that says nothing to them is given back as it is.

    A unique or primary key that is taken becomes `AlreadyExists`, any other broken constraint `FailedPrecondition`,
    a full or failing disk, or a database held by another process, `Unavailable`.
    """
    if not isinstance(error, sqlite3.Error):
        return error
    code: int = getattr(error, "sqlite_errorcode", 0)  # absent where the Python module itself complains
    if code in _EXISTS:
        return AlreadyExists(f"it exists already ({_constraint(error)})", constraint=_constraint(error))
    match code & PRIMARY_CODE:
        case sqlite3.SQLITE_CONSTRAINT:
            return FailedPrecondition(f"the change breaks a rule of the store ({error})", constraint=_constraint(error))
        case sqlite3.SQLITE_FULL:
            return Unavailable("the disk of the server's data folder is full; nothing was stored")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable("the database is held by another process; nothing was stored")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_NOMEM:
            return Unavailable(f"the machine does not let the database work ({error}); nothing was stored")
        case _:
            return error


def _constraint(error: sqlite3.Error) -> str:
    # "UNIQUE constraint failed: runs.pipeline, runs.id" -> "runs.pipeline, runs.id"
    return str(error).partition(": ")[2] or str(error)
