"""Keeps sealed secrets in a SQLite file of their own, apart from the main database."""

from collections.abc import AsyncIterator
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from gofer.clock import Clock, SystemClock
from gofer.config.settings import SqliteSecretStoreSettings
from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.store_file import ENGINE_NAME, StoreFile
from gofer.sqlite import Connection

_MIGRATIONS: Final = "gofer.engines.secret_store.migrations"
_PAGE: Final = 500
_ERASE: Final = "PRAGMA secure_delete=ON"  # what is sealed with a key that was given up must not linger
_PUT: Final = "INSERT OR REPLACE INTO secret_blobs (instance, blob, sealed) VALUES (?, ?, ?)"
_GET: Final = "SELECT sealed FROM secret_blobs WHERE instance = ? AND blob = ?"
_DELETE: Final = "DELETE FROM secret_blobs WHERE instance = ? AND blob = ?"
_LIST: Final = "SELECT blob FROM secret_blobs WHERE instance = ? AND blob > ? ORDER BY blob LIMIT ?"


class _Unit:
    """The rows, on one transaction."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        del now  # nothing here has a time
        self._connection = connection

    def put(self, key: BlobKey, sealed: bytes) -> None:
        self._connection.execute(_ERASE)
        self._connection.execute(_PUT, (key.instance, key.blob, sealed))

    def find(self, key: BlobKey) -> bytes | None:
        row = self._connection.execute(_GET, (key.instance, key.blob)).fetchone()
        return None if row is None else bytes(row["sealed"])

    def delete(self, key: BlobKey) -> None:
        self._connection.execute(_ERASE)
        self._connection.execute(_DELETE, (key.instance, key.blob))

    def page(self, instance: InstanceId, after: str) -> list[BlobKey]:
        rows = self._connection.execute(_LIST, (instance, after, _PAGE))
        return [BlobKey(instance=instance, blob=BlobId(row["blob"])) for row in rows]


class SqliteSecretStore:
    """A `SecretStoreEngine` on one file, which one server holds at a time."""

    name = ENGINE_NAME

    def __init__(self, settings: SqliteSecretStoreSettings, *, clock: Clock) -> None:
        self._file = StoreFile(settings.path, what="secret store", migrations=_MIGRATIONS, make_unit=_Unit, clock=clock)

    async def __aenter__(self) -> Self:
        """Open the file, made if it is missing. Raises `FailedPrecondition` where it is unsafe or no store."""
        await self._file.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        await self._file.__aexit__(kind, error, trace)

    async def put(self, key: BlobKey, sealed: bytes) -> None:
        """Store the row."""
        await self._file.write(lambda unit: unit.put(key, sealed))

    async def get(self, key: BlobKey) -> bytes:
        """Read the row."""
        found = await self._file.read(lambda unit: unit.find(key))
        if found is None:
            raise NotFound(f"the secret store has no value {key.blob}", blob=key.blob)
        return found

    async def delete(self, key: BlobKey) -> None:
        """Remove the row and overwrite what it held."""
        await self._file.write(lambda unit: unit.delete(key))

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Read the keys, some hundreds at a time."""
        after = ""
        while page := await self._file.read(lambda unit, after=after: unit.page(instance, after)):  # type: ignore[misc]
            for key in page:
                yield key
            after = page[-1].blob


def create(settings: SqliteSecretStoreSettings) -> SqliteSecretStore:
    """Make the engine for the file that the settings name."""
    return SqliteSecretStore(settings, clock=SystemClock())
