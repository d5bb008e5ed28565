"""What the main database knows of objects: their keys, what they belong to, and where their content is."""

import json
from collections.abc import Iterable
from typing import Final

from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, PipelineKey, RunId
from gofer.core.object_record import ObjectOwner, ObjectRecord
from gofer.core.times import from_ms, to_ms
from gofer.sqlite import Connection, Row
from gofer_sdk.rules.text import quoted

_OF_OWNER: Final = "namespace = ? AND pipeline = ? AND coalesce(run, 0) = ?"
_FIND: Final = f"SELECT * FROM objects WHERE {_OF_OWNER} AND key = ?"  # noqa: S608 (built from constants)
_LIST: Final = f"SELECT * FROM objects WHERE {_OF_OWNER} ORDER BY place LIMIT ?"  # noqa: S608 (as above)
_COUNT: Final = f"SELECT count(*) FROM objects WHERE {_OF_OWNER}"  # noqa: S608 (as above)
_PUT: Final = """
    INSERT INTO objects (namespace, pipeline, run, key, blob, size_bytes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_DELETE: Final = f"DELETE FROM objects WHERE {_OF_OWNER} AND key = ?"  # noqa: S608 (as above)
_DELETE_SOME: Final = f"""
    DELETE FROM objects WHERE place IN (SELECT place FROM objects WHERE {_OF_OWNER} LIMIT ?) RETURNING blob
"""  # noqa: S608 (as above)
_DELETE_ALL: Final = f"DELETE FROM objects WHERE {_OF_OWNER} RETURNING blob"  # noqa: S608 (as above)
_ALL_NAMED: Final = "SELECT blob FROM objects"
_NAMED: Final = "SELECT blob FROM objects WHERE blob IN (SELECT value FROM json_each(?))"
_NEWEST_RUN: Final = "SELECT max(id) AS run FROM runs WHERE namespace = ? AND pipeline = ?"
_NO_LIMIT: Final = -1


class ObjectRepository:
    """The records of objects, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, owner: ObjectOwner, key: str) -> ObjectRecord | None:
        """Give an object, or None where there is none."""
        row = self._connection.execute(_FIND, (*_columns(owner), key)).fetchone()
        return None if row is None else _record_of(row)

    def get(self, owner: ObjectOwner, key: str) -> ObjectRecord:
        """Give an object. Raises `NotFound`."""
        found = self.find(owner, key)
        if found is None:
            raise NotFound(
                f"{owner} has no object {quoted(key)}; `{owner.listing}` shows those that it has",
                namespace=owner.pipeline.namespace,
                pipeline=owner.pipeline.pipeline,
                key=key,
            )
        return found

    def list(self, owner: ObjectOwner) -> tuple[ObjectRecord, ...]:
        """Give all objects of an owner, oldest first."""
        return self.oldest(owner, _NO_LIMIT)

    def oldest(self, owner: ObjectOwner, count: int) -> tuple[ObjectRecord, ...]:
        """Give so many of the objects of an owner, oldest first."""
        rows = self._connection.execute(_LIST, (*_columns(owner), count))
        return tuple(_record_of(row) for row in rows)

    def count(self, owner: ObjectOwner) -> int:
        """Count the objects of an owner."""
        row = self._connection.execute(_COUNT, _columns(owner)).fetchone()
        return int(row[0])

    def put(self, owner: ObjectOwner, record: ObjectRecord) -> None:
        """Store an object as the newest of its owner, in the place of one with the same key.

        Raises `FailedPrecondition` where the owner does not exist.
        """
        self.delete(owner, record.key)
        pipeline = owner.pipeline
        content = (record.key, record.blob, record.size_bytes, to_ms(record.created_at))
        self._connection.execute(_PUT, (pipeline.namespace, pipeline.pipeline, owner.run, *content))

    def delete(self, owner: ObjectOwner, key: str) -> None:
        """Forget an object; one that is not there is forgotten already."""
        self._connection.execute(_DELETE, (*_columns(owner), key))

    def delete_all(self, owner: ObjectOwner) -> tuple[BlobId, ...]:
        """Forget all objects of an owner, and name the content to delete once that is committed."""
        rows = self._connection.execute(_DELETE_ALL, _columns(owner)).fetchall()
        return tuple(BlobId(row["blob"]) for row in rows)

    def delete_some(self, owner: ObjectOwner, limit: int) -> tuple[BlobId, ...]:
        """Forget up to `limit` objects of an owner, and name the content as `delete_all` does."""
        rows = self._connection.execute(_DELETE_SOME, (*_columns(owner), limit)).fetchall()
        return tuple(BlobId(row["blob"]) for row in rows)

    def named_among(self, blobs: Iterable[BlobId]) -> frozenset[BlobId]:
        """Give those of the ids that any object has."""
        rows = self._connection.execute(_NAMED, (json.dumps(sorted(blobs)),))
        return frozenset(BlobId(row["blob"]) for row in rows)

    def all_named(self) -> frozenset[BlobId]:
        """Give every content that a record names."""
        return frozenset(BlobId(row["blob"]) for row in self._connection.execute(_ALL_NAMED))

    def newest_run(self, key: PipelineKey) -> RunId | None:
        """Give the pipeline's newest run, or None where it has none."""
        row = self._connection.execute(_NEWEST_RUN, (key.namespace, key.pipeline)).fetchone()
        return None if row["run"] is None else RunId(row["run"])


def _columns(owner: ObjectOwner) -> tuple[str, str, int]:
    return (owner.pipeline.namespace, owner.pipeline.pipeline, owner.run or 0)


def _record_of(row: Row) -> ObjectRecord:
    return ObjectRecord(
        key=row["key"],
        blob=BlobId(row["blob"]),
        size_bytes=row["size_bytes"],
        created_at=from_ms(row["created_at"]),
    )
