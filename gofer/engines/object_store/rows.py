"""The rows of objects in the object store's file, on one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.errors import Unavailable
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.sqlite import Connection

_PAGE: Final = 500
_CLEARED_AT_ONCE: Final = 8  # parts of 1 MiB, so that no transaction lasts long
_BEGIN: Final = "INSERT INTO object_blobs (upload, instance, blob, part_count, visible) VALUES (?, ?, ?, 0, 0)"
_ADD_PART: Final = "INSERT INTO object_parts (upload, number, content) VALUES (?, ?, ?)"
_HIDE: Final = """
    UPDATE object_blobs SET visible = 0 WHERE instance = ? AND blob = ? AND visible = 1 RETURNING upload
"""
_SHOW: Final = "UPDATE object_blobs SET visible = 1, part_count = ? WHERE upload = ? AND visible = 0"
_FIND: Final = "SELECT upload, part_count FROM object_blobs WHERE instance = ? AND blob = ? AND visible = 1"
_PART: Final = "SELECT content FROM object_parts WHERE upload = ? AND number = ?"
_LIST: Final = """
    SELECT blob FROM object_blobs WHERE instance = ? AND blob > ? AND visible = 1 ORDER BY blob LIMIT ?
"""
_HIDDEN: Final = "SELECT upload FROM object_blobs WHERE visible = 0 ORDER BY upload"
_IS_HIDDEN: Final = "SELECT 1 FROM object_blobs WHERE upload = ? AND visible = 0"
_CLEAR_PARTS: Final = """
    DELETE FROM object_parts WHERE upload = ? AND number IN (
        SELECT number FROM object_parts WHERE upload = ? ORDER BY number LIMIT ?
    )
"""
_CLEAR: Final = "DELETE FROM object_blobs WHERE upload = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of an upload; they are numbered from 0."""

    upload: str
    number: int
    content: bytes


class ObjectRows:
    """The unit of work of the object store's file."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        del now  # nothing here has a time
        self._connection = connection

    def stage(self, key: BlobKey, part: Part) -> None:
        """Store a part that nobody sees yet; the first one begins the upload."""
        if part.number == 0:
            self._connection.execute(_BEGIN, (part.upload, key.instance, key.blob))
        self._connection.execute(_ADD_PART, (part.upload, part.number, part.content))

    def publish(self, key: BlobKey, last: Part) -> str | None:
        """Store the last part and show the upload in the place of what is under the key; that one's upload, if any."""
        if last.content:
            self.stage(key, last)
        else:
            self._connection.execute(_BEGIN, (last.upload, key.instance, key.blob))
        replaced = self._connection.execute(_HIDE, (key.instance, key.blob)).fetchone()
        count = last.number + 1 if last.content else 0
        if self._connection.execute(_SHOW, (count, last.upload)).rowcount == 0:
            raise Unavailable("the upload was cleared away meanwhile: is another server using the same file?")
        return None if replaced is None else str(replaced["upload"])

    def find(self, key: BlobKey) -> tuple[str, int] | None:
        """Give the upload under a key and the number of its parts, or None."""
        row = self._connection.execute(_FIND, (key.instance, key.blob)).fetchone()
        return None if row is None else (row["upload"], row["part_count"])

    def part(self, upload: str, number: int) -> bytes | None:
        """Give one part, or None where it is gone."""
        row = self._connection.execute(_PART, (upload, number)).fetchone()
        return None if row is None else bytes(row["content"])

    def page(self, instance: InstanceId, after: str) -> list[BlobKey]:
        """Give the next keys of an instance."""
        rows = self._connection.execute(_LIST, (instance, after, _PAGE))
        return [BlobKey(instance=instance, blob=BlobId(row["blob"])) for row in rows]

    def hide(self, key: BlobKey) -> str | None:
        """Hide what is under a key, and remove its first parts; name the upload if parts of it are left."""
        row = self._connection.execute(_HIDE, (key.instance, key.blob)).fetchone()
        if row is None:
            return None
        upload = str(row["upload"])
        return upload if self.clear_some(upload) else None

    def hidden(self) -> list[str]:
        """Name the uploads that nobody sees."""
        return [row["upload"] for row in self._connection.execute(_HIDDEN)]

    def clear_some(self, upload: str) -> bool:
        """Remove some parts of an upload that nobody sees, and with the last parts itself; tell whether any are left.

        One that is visible, or gone, is left alone.
        """
        if self._connection.execute(_IS_HIDDEN, (upload,)).fetchone() is None:
            return False
        removed = self._connection.execute(_CLEAR_PARTS, (upload, upload, _CLEARED_AT_ONCE)).rowcount
        if removed == _CLEARED_AT_ONCE:
            return True
        self._connection.execute(_CLEAR, (upload,))
        return False
