"""What records of ours name in a store: put under an id that was never used before, and swept where none names it.

First the new blob is put, then the record that names it is committed, then the old blob goes. Wherever this process
dies, the record names a blob that is whole; what no record names is swept at the start.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol, TypeAlias, TypeVar

import structlog

from gofer.core.errors import GoferError, OutcomeUnknown
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_log = structlog.get_logger(__name__)

T = TypeVar("T")

Needed: TypeAlias = Callable[[frozenset[BlobId]], Awaitable[AbstractSet[BlobId]]]
"""Tells which of some blobs are still needed."""

_ID_BYTES: Final = 16
_SWEPT_AT_ONCE: Final = 500


class BlobStore(Protocol):
    """What all stores of blobs can do."""

    async def delete(self, key: BlobKey) -> None:
        """Forget a blob; one that is not there is forgotten already. Raises `EngineUnavailable`."""
        ...

    def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Name all blobs of a server. Raises `EngineUnavailable`."""
        ...


class StoredBlobs:
    """The blobs of one server in one store, which `store_name` calls by its name.

    Every method raises `EngineUnavailable` where the store can't be reached.
    """

    def __init__(self, *, store: BlobStore, store_name: str, instance: InstanceId) -> None:
        self._store = store
        self._store_name = store_name
        self._instance = instance

    async def commit_put(
        self, database: Database[Unit], blob: BlobId, record: Callable[[Unit], tuple[T, Sequence[BlobId]]]
    ) -> T:
        """Commit the record that names a blob which was just put, and let go of the blobs that it was put in place of.

        `record` gives the result and the blobs that nothing names any more. What it raises is raised here; then the
        new blob is deleted, but where the record may be stored it stays: for it, or for the next start's sweep.
        """
        try:
            result, gone = await database.write(record)
        except OutcomeUnknown:
            raise
        except Exception:  # not a cancelled wait: that tells nothing of the record either
            await self.delete(blob)
            raise
        await self._let_go(gone)
        return result

    async def _let_go(self, gone: Sequence[BlobId]) -> None:
        await self.delete(*gone)

    async def all(self) -> tuple[BlobId, ...]:
        """Name every blob of this server that is in the store."""
        return tuple([key.blob async for key in self._store.list_keys(self._instance)])

    async def delete(self, *blobs: BlobId) -> None:
        """Forget what nothing names any more; what can't be deleted now is left to the next start's sweep."""
        for blob in blobs:
            try:
                await self._store.delete(self._key(blob))
            except GoferError as error:
                _log.warning(
                    "what nobody needs is left in a store", store=self._store_name, blob=blob, error=error.message
                )

    async def sweep(self, keep: Needed) -> int:
        """Delete every blob but those that `keep` says are needed, asked for some at a time; say how many went.

        Only before anything is put.
        """
        batch: set[BlobId] = set()
        swept = 0
        async for key in self._store.list_keys(self._instance):
            batch.add(key.blob)
            if len(batch) >= _SWEPT_AT_ONCE:
                swept += await self._sweep_some(frozenset(batch), keep)
                batch.clear()
        return swept + await self._sweep_some(frozenset(batch), keep)

    async def _sweep_some(self, found: frozenset[BlobId], keep: Needed) -> int:
        if not found:
            return 0
        left = found - await keep(found)
        await self.delete(*left)
        return len(left)

    def _key(self, blob: BlobId) -> BlobKey:
        return BlobKey(instance=self._instance, blob=blob)

    @staticmethod
    def _new_id() -> BlobId:
        return BlobId(secrets.token_hex(_ID_BYTES))
