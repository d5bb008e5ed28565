"""Tokens in the database."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Final

from gofer.core.access import NamespacePattern, Token, TokenHash, TokenId, TokenKind
from gofer.core.errors import NotFound
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, RunId, TaskId, TaskRunKey
from gofer.core.run import TaskState
from gofer.core.times import from_ms, maybe_from_ms, maybe_to_ms, to_ms
from gofer.sqlite import Connection, Row
from gofer.storage.page import Listed, Page, cut, within_bytes
from gofer.storage.rows import Value

_COLUMNS: Final = (
    "id",
    "hash",
    "kind",
    "namespaces",
    "metadata",
    "created_at",
    "expires_at",
    "disabled",
    "run_namespace",
    "run_pipeline",
    "run",
    "task",
)
_INSERT: Final = f"INSERT INTO tokens ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_FIND: Final = "SELECT * FROM tokens WHERE id = ?"
_FIND_BY_HASH: Final = "SELECT * FROM tokens WHERE hash = ?"
_LIST: Final = "SELECT * FROM tokens WHERE place > ? ORDER BY place"
_HAS_MANAGEMENT: Final = "SELECT 1 FROM tokens WHERE kind = 'MANAGEMENT' LIMIT 1"
_SET_DISABLED: Final = "UPDATE tokens SET disabled = ? WHERE id = ?"
_DELETE: Final = "DELETE FROM tokens WHERE id = ?"
_DELETE_OF_TASK_RUN: Final = """
    DELETE FROM tokens WHERE run_namespace = ? AND run_pipeline = ? AND run = ? AND task = ? AND task IS NOT NULL
    RETURNING id
"""
_ENDED: Final = ", ".join(f"'{state}'" for state in TaskState if state.is_terminal)
_DELETE_ENDED: Final = f"""
    DELETE FROM tokens WHERE task IS NOT NULL AND EXISTS (
        SELECT 1 FROM task_runs
        WHERE namespace = run_namespace AND pipeline = run_pipeline AND task_runs.run = tokens.run
            AND task_runs.id = task AND state IN ({_ENDED})
    )
    RETURNING id
"""  # noqa: S608 (built from constants)
_HAS_EXPIRED: Final = "SELECT 1 FROM tokens WHERE expires_at < ? LIMIT 1"
_DELETE_OF_PIPELINE: Final = """
    DELETE FROM tokens WHERE place IN (
        SELECT place FROM tokens WHERE run_namespace = ? AND run_pipeline = ? AND task IS NOT NULL LIMIT ?
    ) RETURNING id
"""
_PRUNE: Final = """
    DELETE FROM tokens WHERE place IN (SELECT place FROM tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ?)
    RETURNING id
"""


class TokenRepository:
    """The tokens, on one transaction.

    `revoked` names those that open nothing any more, or less, once the transaction is committed.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.revoked: list[TokenId] = []

    def insert(self, token: Token, hashed: TokenHash) -> None:
        """Store a new token."""
        of = token.task_run
        values: tuple[Value, ...] = (
            token.id,
            hashed,
            token.kind.value,
            json.dumps([pattern.text for pattern in token.namespaces]),
            json.dumps(dict(token.metadata), ensure_ascii=False),
            to_ms(token.created_at),
            maybe_to_ms(token.expires_at),
            int(token.disabled),
            *((None,) * 4 if of is None else (of.namespace, of.pipeline, of.run, of.task)),
        )
        self._connection.execute(_INSERT, values)

    def find_by_hash(self, hashed: TokenHash) -> tuple[Token, TokenHash] | None:
        """Give the token whose text has this hash, and the hash as it is stored; None where there is none."""
        row = self._connection.execute(_FIND_BY_HASH, (hashed,)).fetchone()
        return None if row is None else (_token_of(row), TokenHash(row["hash"]))

    def get(self, token: TokenId) -> Token:
        """Give the token. Raises `NotFound`."""
        row = self._connection.execute(_FIND, (token,)).fetchone()
        if row is None:
            raise not_found()
        return _token_of(row)

    def list(self, page: Page, *, is_shown: Callable[[Token], bool] = lambda _: True) -> Listed[Token]:
        """Give the tokens in the order of their creation; only those that `is_shown` says yes to, no others count."""
        (after,) = page.after((int,)) or (0,)
        rows = self._connection.execute(_LIST, (after,))
        found = islice((row for row in rows if is_shown(_token_of(row))), page.skip, page.skip + page.size + 1)
        kept, more = within_bytes(found, "namespaces", "metadata")
        rows.close()
        listed = cut(kept, page, lambda last: (last["place"],), more=more)
        return Listed(items=tuple(map(_token_of, listed.items)), next_cursor=listed.next_cursor)

    def has_management(self) -> bool:
        """Tell whether there is any management token, also one that is disabled or has expired."""
        return self._connection.execute(_HAS_MANAGEMENT).fetchone() is not None

    def set_disabled(self, token: TokenId, *, disabled: bool) -> None:
        """Refuse the token from now on, or accept it again. Raises `NotFound`."""
        if self._connection.execute(_SET_DISABLED, (int(disabled), token)).rowcount == 0:
            raise not_found()
        self.revoked.append(token)

    def delete(self, token: TokenId) -> None:
        """Forget the token. Raises `NotFound`."""
        if self._connection.execute(_DELETE, (token,)).rowcount == 0:
            raise not_found()
        self.revoked.append(token)

    def note_narrowed(self, tokens: Iterable[TokenId]) -> None:
        """Have these tokens read anew by whoever keeps them, and their streams end: they open less than before."""
        self.revoked += tokens

    def delete_of_task_run(self, key: TaskRunKey) -> None:
        """Forget the tokens that were made for a task run."""
        self._note(self._connection.execute(_DELETE_OF_TASK_RUN, (key.namespace, key.pipeline, key.run, key.task)))

    def delete_of_ended(self) -> int:
        """Forget the tokens of all task runs that have ended, and say how many."""
        return self._note(self._connection.execute(_DELETE_ENDED))

    def has_expired(self, before: datetime) -> bool:
        """Tell whether there is a token that expired before that time."""
        return self._connection.execute(_HAS_EXPIRED, (to_ms(before),)).fetchone() is not None

    def delete_of_pipeline(self, key: PipelineKey, limit: int) -> int:
        """Forget up to `limit` tokens that were made for task runs of a pipeline, and say how many."""
        return self._note(self._connection.execute(_DELETE_OF_PIPELINE, (key.namespace, key.pipeline, limit)))

    def prune(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` of the tokens that expired first, before that time, and say how many."""
        return self._note(self._connection.execute(_PRUNE, (to_ms(before), limit)))

    def _note(self, rows: Iterable[Row]) -> int:
        gone = [TokenId(row["id"]) for row in rows]
        self.revoked += gone
        return len(gone)


def not_found() -> NotFound:
    """Make the error for a token that is none. It doesn't repeat what was asked for: that may be a token."""
    return NotFound("there is no such token; `gofer service token list` shows those that exist")


def _token_of(row: Row) -> Token:
    of = row["task"]
    return Token(
        id=TokenId(row["id"]),
        kind=TokenKind(row["kind"]),
        namespaces=tuple(NamespacePattern(text) for text in json.loads(row["namespaces"])),
        metadata=json.loads(row["metadata"]),
        created_at=from_ms(row["created_at"]),
        expires_at=maybe_from_ms(row["expires_at"]),
        disabled=bool(row["disabled"]),
        task_run=None
        if of is None
        else TaskRunKey(
            namespace=NamespaceId(row["run_namespace"]),
            pipeline=PipelineId(row["run_pipeline"]),
            run=RunId(row["run"]),
            task=TaskId(of),
        ),
    )
