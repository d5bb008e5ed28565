"""What belongs to a pipeline or to a namespace in the database, removed row by row."""

import json
from datetime import datetime
from typing import Final

from gofer.core.access import TokenId
from gofer.core.ids import BlobId, NamespaceId, PipelineId, PipelineKey
from gofer.core.times import to_ms
from gofer.sqlite import Connection

_MARK_PIPELINE: Final = """
    UPDATE pipelines SET deleting_at = ? WHERE namespace = ? AND id = ? AND deleting_at IS NULL
"""
_MARK_NAMESPACE: Final = "UPDATE namespaces SET deleting_at = ? WHERE id = ? AND deleting_at IS NULL"
_MARK_ALL: Final = "UPDATE pipelines SET deleting_at = ? WHERE namespace = ? AND deleting_at IS NULL"
_PIPELINES: Final = """
    SELECT namespace, id FROM pipelines INDEXED BY pipelines_deleting
    WHERE deleting_at IS NOT NULL ORDER BY namespace, id
"""
_NAMESPACES: Final = (
    "SELECT id FROM namespaces INDEXED BY namespaces_deleting WHERE deleting_at IS NOT NULL ORDER BY id"
)
_HAS_PIPELINES: Final = "SELECT 1 FROM pipelines WHERE namespace = ? LIMIT 1"
_ENGINES: Final = "SELECT DISTINCT engine FROM task_runs WHERE namespace = ? AND pipeline = ? AND engine <> ''"
_HAS_BLOBS: Final = """
    SELECT 1 FROM objects WHERE namespace = ? AND pipeline = ?
    UNION ALL SELECT 1 FROM pipeline_secrets WHERE namespace = ? AND pipeline = ? LIMIT 1
"""
_OBJECTS: Final = """
    DELETE FROM objects WHERE place IN (SELECT place FROM objects WHERE namespace = ? AND pipeline = ? LIMIT ?)
    RETURNING blob
"""
_SECRETS: Final = """
    DELETE FROM pipeline_secrets WHERE (namespace, pipeline, key) IN (
        SELECT namespace, pipeline, key FROM pipeline_secrets WHERE namespace = ? AND pipeline = ? LIMIT ?
    ) RETURNING blob
"""
_TASK_RUNS: Final = """
    DELETE FROM task_runs WHERE (namespace, pipeline, run, id) IN (
        SELECT namespace, pipeline, run, id FROM task_runs WHERE namespace = ? AND pipeline = ? LIMIT ?
    )
"""
_RUNS: Final = """
    DELETE FROM runs WHERE place IN (SELECT place FROM runs WHERE namespace = ? AND pipeline = ? LIMIT ?)
"""
_DEPLOYMENTS: Final = """
    DELETE FROM deployments WHERE (namespace, pipeline, id) IN (
        SELECT namespace, pipeline, id FROM deployments WHERE namespace = ? AND pipeline = ? LIMIT ?
    )
"""
_CONFIGS: Final = """
    DELETE FROM pipeline_configs WHERE (namespace, pipeline, version) IN (
        SELECT namespace, pipeline, version FROM pipeline_configs WHERE namespace = ? AND pipeline = ? LIMIT ?
    )
"""
_PIPELINE: Final = "DELETE FROM pipelines WHERE namespace = ? AND id = ?"
_NAMESPACE: Final = "DELETE FROM namespaces WHERE id = ?"
_NAMING: Final = "SELECT {key}, namespaces FROM {table} WHERE instr(namespaces, ?) > 0 LIMIT ?"
_RENAME: Final = "UPDATE {table} SET namespaces = ? WHERE {key} = ?"


class RemovalRepository:
    """What is being deleted, on one transaction. Each method that takes a `limit` removes at most so many rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mark_pipeline(self, key: PipelineKey, at: datetime) -> bool:
        """Say that the pipeline is to be deleted; False where that was said already, or it is not there."""
        return self._connection.execute(_MARK_PIPELINE, (to_ms(at), key.namespace, key.pipeline)).rowcount > 0

    def mark_namespace(self, namespace: NamespaceId, at: datetime) -> bool:
        """Say so of a namespace and of all its pipelines; False where that was said already, or it is not there."""
        marked = self._connection.execute(_MARK_NAMESPACE, (to_ms(at), namespace)).rowcount > 0
        self._connection.execute(_MARK_ALL, (to_ms(at), namespace))
        return marked

    def marked_pipelines(self) -> tuple[PipelineKey, ...]:
        """Name every pipeline that is to be deleted."""
        return tuple(
            PipelineKey(namespace=NamespaceId(row["namespace"]), pipeline=PipelineId(row["id"]))
            for row in self._connection.execute(_PIPELINES)
        )

    def marked_namespaces(self) -> tuple[NamespaceId, ...]:
        """Name every namespace that is to be deleted."""
        return tuple(NamespaceId(row["id"]) for row in self._connection.execute(_NAMESPACES))

    def has_pipelines(self, namespace: NamespaceId) -> bool:
        """Tell whether there is any pipeline in the namespace."""
        return self._connection.execute(_HAS_PIPELINES, (namespace,)).fetchone() is not None

    def engines_of(self, key: PipelineKey) -> tuple[str, ...]:
        """Name every engine that a task run of the pipeline was ever given to."""
        return tuple(row["engine"] for row in self._connection.execute(_ENGINES, (key.namespace, key.pipeline)))

    def has_blobs(self, key: PipelineKey) -> bool:
        """Tell whether the pipeline or any of its runs has an object or a secret."""
        return self._connection.execute(_HAS_BLOBS, (key.namespace, key.pipeline) * 2).fetchone() is not None

    def objects(self, key: PipelineKey, limit: int) -> tuple[BlobId, ...]:
        """Forget objects of the pipeline and of its runs; name the content to delete once that is committed."""
        rows = self._connection.execute(_OBJECTS, (key.namespace, key.pipeline, limit)).fetchall()
        return tuple(BlobId(row["blob"]) for row in rows)

    def secrets(self, key: PipelineKey, limit: int) -> tuple[BlobId, ...]:
        """Forget secrets of the pipeline; name the values as `objects` does."""
        rows = self._connection.execute(_SECRETS, (key.namespace, key.pipeline, limit)).fetchall()
        return tuple(BlobId(row["blob"]) for row in rows)

    def task_runs(self, key: PipelineKey, limit: int) -> int:
        """Remove task runs, and say how many. Tokens that were made for them go with them: revoke those first."""
        return self._connection.execute(_TASK_RUNS, (key.namespace, key.pipeline, limit)).rowcount

    def runs(self, key: PipelineKey, limit: int) -> int:
        """Remove runs that have neither task runs nor objects any more, and say how many."""
        return self._connection.execute(_RUNS, (key.namespace, key.pipeline, limit)).rowcount

    def deployments(self, key: PipelineKey, limit: int) -> int:
        """Remove deployments, and say how many."""
        return self._connection.execute(_DEPLOYMENTS, (key.namespace, key.pipeline, limit)).rowcount

    def configs(self, key: PipelineKey, limit: int) -> int:
        """Remove versions that no run names any more, and say how many."""
        return self._connection.execute(_CONFIGS, (key.namespace, key.pipeline, limit)).rowcount

    def pipeline(self, key: PipelineKey) -> None:
        """Remove the pipeline itself. Raises `FailedPrecondition` while it has anything; its run numbers stay taken."""
        self._connection.execute(_PIPELINE, (key.namespace, key.pipeline))

    def namespace(self, namespace: NamespaceId) -> None:
        """Remove the namespace itself. Raises `FailedPrecondition` while it has a pipeline."""
        self._connection.execute(_NAMESPACE, (namespace,))

    def from_tokens(self, namespace: NamespaceId, limit: int) -> tuple[TokenId, ...]:
        """Take the namespace's own id out of tokens that name it, and give the ids of those tokens.

        What a glob opens, it opens. A token that names nothing else stays, and opens nothing.
        """
        return tuple(TokenId(each) for each in self._out_of("tokens", "id", namespace, limit))

    def from_global_secrets(self, namespace: NamespaceId, limit: int) -> int:
        """Take it out of global secrets that name it, and say of how many; one that names nothing else stays."""
        return len(self._out_of("global_secrets", "key", namespace, limit))

    def _out_of(self, table: str, key: str, namespace: NamespaceId, limit: int) -> tuple[str, ...]:
        # An id holds nothing that JSON would spell otherwise, and no glob is an id.
        found = self._connection.execute(
            _NAMING.format(table=table, key=key), (json.dumps(namespace), limit)
        ).fetchall()
        self._connection.executemany(
            _RENAME.format(table=table, key=key),
            [(json.dumps([each for each in json.loads(row[1]) if each != namespace]), row[0]) for row in found],
        )
        return tuple(str(row[0]) for row in found)
