"""What the main database knows of secrets: their keys, who may use them, and where their values are. Never a value."""

import json
from collections.abc import Iterable
from typing import Final

from gofer.core.access import NamespacePattern
from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, PipelineKey
from gofer.core.secret_record import SecretRecord
from gofer.core.times import from_ms, to_ms
from gofer.sqlite import Connection, Row
from gofer_sdk.rules.text import quoted

_FIND: Final = "SELECT * FROM pipeline_secrets WHERE namespace = ? AND pipeline = ? AND key = ?"
_LIST: Final = "SELECT * FROM pipeline_secrets WHERE namespace = ? AND pipeline = ? ORDER BY key"
_COUNT: Final = "SELECT count(*) FROM pipeline_secrets WHERE namespace = ? AND pipeline = ?"
_PUT: Final = """
    INSERT INTO pipeline_secrets (namespace, pipeline, key, blob, created_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (namespace, pipeline, key) DO UPDATE SET blob = excluded.blob, created_at = excluded.created_at
"""
_DELETE: Final = "DELETE FROM pipeline_secrets WHERE namespace = ? AND pipeline = ? AND key = ?"
_FIND_GLOBAL: Final = "SELECT * FROM global_secrets WHERE key = ?"
_LIST_GLOBAL: Final = "SELECT * FROM global_secrets ORDER BY key"
_COUNT_GLOBAL: Final = "SELECT count(*) FROM global_secrets"
_PUT_GLOBAL: Final = """
    INSERT INTO global_secrets (key, namespaces, blob, created_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET namespaces = excluded.namespaces, blob = excluded.blob, created_at = excluded.created_at
"""
_DELETE_GLOBAL: Final = "DELETE FROM global_secrets WHERE key = ?"
_ALL_NAMED: Final = "SELECT blob FROM pipeline_secrets UNION ALL SELECT blob FROM global_secrets"
_NAMED: Final = """
    SELECT blob FROM (SELECT blob FROM pipeline_secrets UNION ALL SELECT blob FROM global_secrets)
    WHERE blob IN (SELECT value FROM json_each(?))
"""


class SecretRepository:
    """The records of secrets, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ---------------------------------------------------------------- of a pipeline

    def find(self, pipeline: PipelineKey, key: str) -> SecretRecord | None:
        """Give a pipeline's secret, or None where there is none."""
        row = self._connection.execute(_FIND, (pipeline.namespace, pipeline.pipeline, key)).fetchone()
        return None if row is None else _record_of(row)

    def get(self, pipeline: PipelineKey, key: str) -> SecretRecord:
        """Give a pipeline's secret. Raises `NotFound`."""
        found = self.find(pipeline, key)
        if found is None:
            raise NotFound(
                f"pipeline {pipeline} has no secret {quoted(key)}; "
                f"`gofer secret pipeline list {pipeline.pipeline}` shows those that it has",
                namespace=pipeline.namespace,
                pipeline=pipeline.pipeline,
                key=key,
            )
        return found

    def list(self, pipeline: PipelineKey) -> tuple[SecretRecord, ...]:
        """Give all secrets of a pipeline by key."""
        rows = self._connection.execute(_LIST, (pipeline.namespace, pipeline.pipeline))
        return tuple(_record_of(row) for row in rows)

    def count(self, pipeline: PipelineKey) -> int:
        """Count the secrets of a pipeline."""
        row = self._connection.execute(_COUNT, (pipeline.namespace, pipeline.pipeline)).fetchone()
        return int(row[0])

    def put(self, pipeline: PipelineKey, record: SecretRecord) -> None:
        """Store a pipeline's secret, in the place of one with the same key.

        Raises `FailedPrecondition` where the pipeline does not exist.
        """
        values = (pipeline.namespace, pipeline.pipeline, record.key, record.blob, to_ms(record.created_at))
        self._connection.execute(_PUT, values)

    def delete(self, pipeline: PipelineKey, key: str) -> None:
        """Forget a pipeline's secret; one that is not there is forgotten already."""
        self._connection.execute(_DELETE, (pipeline.namespace, pipeline.pipeline, key))

    # ---------------------------------------------------------------- global

    def find_global(self, key: str) -> SecretRecord | None:
        """Give a global secret, or None where there is none."""
        row = self._connection.execute(_FIND_GLOBAL, (key,)).fetchone()
        return None if row is None else _global_of(row)

    def get_global(self, key: str) -> SecretRecord:
        """Give a global secret. Raises `NotFound`."""
        found = self.find_global(key)
        if found is None:
            raise NotFound(
                f"there is no global secret {quoted(key)}; `gofer secret global list` shows those that exist", key=key
            )
        return found

    def list_global(self) -> tuple[SecretRecord, ...]:
        """Give all global secrets by key."""
        return tuple(_global_of(row) for row in self._connection.execute(_LIST_GLOBAL))

    def count_global(self) -> int:
        """Count the global secrets."""
        return int(self._connection.execute(_COUNT_GLOBAL).fetchone()[0])

    def put_global(self, record: SecretRecord) -> None:
        """Store a global secret, in the place of one with the same key."""
        namespaces = json.dumps([pattern.text for pattern in record.namespaces])
        self._connection.execute(_PUT_GLOBAL, (record.key, namespaces, record.blob, to_ms(record.created_at)))

    def delete_global(self, key: str) -> None:
        """Forget a global secret; one that is not there is forgotten already."""
        self._connection.execute(_DELETE_GLOBAL, (key,))

    # ---------------------------------------------------------------- values

    def named_among(self, blobs: Iterable[BlobId]) -> frozenset[BlobId]:
        """Give those of the values that any secret has."""
        rows = self._connection.execute(_NAMED, (json.dumps(list(blobs)),))
        return frozenset(BlobId(row["blob"]) for row in rows)

    def all_named(self) -> frozenset[BlobId]:
        """Give every value that a record names."""
        return frozenset(BlobId(row["blob"]) for row in self._connection.execute(_ALL_NAMED))


def _record_of(row: Row) -> SecretRecord:
    return SecretRecord(key=row["key"], blob=BlobId(row["blob"]), created_at=from_ms(row["created_at"]))


def _global_of(row: Row) -> SecretRecord:
    return SecretRecord(
        key=row["key"],
        blob=BlobId(row["blob"]),
        created_at=from_ms(row["created_at"]),
        namespaces=tuple(NamespacePattern(text) for text in json.loads(row["namespaces"])),
    )
