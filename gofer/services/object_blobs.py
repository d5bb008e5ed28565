"""Content in the object store: put under an id that was never used before, and swept where no record names it."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Final

import structlog

from gofer.core.errors import GoferError
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.protocols import ObjectStoreEngine
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_log = structlog.get_logger(__name__)

_ID_BYTES: Final = 16
_SWEPT_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptContent:
    """Where content was put, and how large it was."""

    blob: BlobId
    size_bytes: int


class ObjectBlobs:
    """The content of one server's objects. Every method raises `EngineUnavailable` where the store can't be reached."""

    def __init__(self, *, engine: ObjectStoreEngine, instance: InstanceId) -> None:
        self._engine = engine
        self._instance = instance

    async def put(self, content: AsyncIterable[bytes]) -> KeptContent:
        """Keep content under a new id, whole or not at all. What `content` raises is raised here."""
        blob = BlobId(secrets.token_hex(_ID_BYTES))
        size_bytes = await self._engine.put(self._key(blob), content)
        return KeptContent(blob=blob, size_bytes=size_bytes)

    def get(self, blob: BlobId) -> AsyncGenerator[bytes, None]:
        """Give content in pieces. Raises `NotFound`, also in the middle where it is deleted meanwhile; close it."""
        return self._engine.get(self._key(blob))

    async def delete(self, *blobs: BlobId) -> None:
        """Forget content that nothing names any more; what can't be deleted now is left to the next start's sweep."""
        for blob in blobs:
            try:
                await self._engine.delete(self._key(blob))
            except GoferError as error:
                _log.warning("content that nobody needs is left in the object store", blob=blob, error=error.message)

    async def sweep(self, database: Database[Unit]) -> int:
        """Delete what no record names, some at a time; say how much went. Only before anything is put."""
        batch: set[BlobId] = set()
        swept = 0
        async for key in self._engine.list_keys(self._instance):
            batch.add(key.blob)
            if len(batch) >= _SWEPT_AT_ONCE:
                swept += await self._sweep_some(frozenset(batch), database)
                batch.clear()
        return swept + await self._sweep_some(frozenset(batch), database)

    async def _sweep_some(self, found: frozenset[BlobId], database: Database[Unit]) -> int:
        left = found - await database.read(lambda unit: unit.objects.named_among(found))
        await self.delete(*left)
        return len(left)

    def _key(self, blob: BlobId) -> BlobKey:
        return BlobKey(instance=self._instance, blob=blob)
