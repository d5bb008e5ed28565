"""Keeps sealed secrets in a SQLite file of their own, apart from the main database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TypeVar

from gofer.clock import Clock, SystemClock
from gofer.config.settings import SqliteSecretStoreSettings
from gofer.core.errors import EngineUnavailable, NotFound, Unavailable
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.sqlite import Connection, Database, open_database

T = TypeVar("T")

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

    name = "sqlite"

    def __init__(self, settings: SqliteSecretStoreSettings, *, clock: Clock) -> None:
        self._path = settings.path
        self._clock = clock
        self._stack = AsyncExitStack()
        self._database: Database[_Unit] | None = None

    async def __aenter__(self) -> Self:
        """Open the file, made if it is missing. Raises `FailedPrecondition` where it is unsafe or no store."""
        self._database = await self._stack.enter_async_context(
            open_database(self._path, migrations=_MIGRATIONS, make_unit=_Unit, clock=self._clock)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._database = None
        await self._stack.__aexit__(kind, error, trace)

    async def put(self, key: BlobKey, sealed: bytes) -> None:
        """Store the row."""
        await self._write(lambda unit: unit.put(key, sealed))

    async def get(self, key: BlobKey) -> bytes:
        """Read the row."""
        found = await self._read(lambda unit: unit.find(key))
        if found is None:
            raise NotFound(f"the secret store has no value {key.blob}", blob=key.blob)
        return found

    async def delete(self, key: BlobKey) -> None:
        """Remove the row and overwrite what it held."""
        await self._write(lambda unit: unit.delete(key))

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Read the keys, some hundreds at a time."""
        after = ""
        while page := await self._read(lambda unit, after=after: unit.page(instance, after)):  # type: ignore[misc]
            for key in page:
                yield key
            after = page[-1].blob

    async def _write(self, function: Callable[[_Unit], None]) -> None:
        try:
            await self._use().write(function)
        except Unavailable as error:
            raise _unavailable(error) from error

    async def _read(self, function: Callable[[_Unit], T]) -> T:
        try:
            return await self._use().read(function)
        except Unavailable as error:
            raise _unavailable(error) from error

    def _use(self) -> Database[_Unit]:
        if self._database is None:
            raise EngineUnavailable("the secret store is not open: the server is starting or stopping")
        return self._database


def create(settings: SqliteSecretStoreSettings) -> SqliteSecretStore:
    """Make the engine for the file that the settings name."""
    return SqliteSecretStore(settings, clock=SystemClock())


def _unavailable(error: Unavailable) -> EngineUnavailable:
    return EngineUnavailable(f"the secret store can't be used now: {error.message}", engine=SqliteSecretStore.name)
