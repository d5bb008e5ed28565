"""Values in the secret store, sealed before the store gets them and opened after it gave them.

A value is put under an id that was never used before, then the record that names it is committed, then the old value
goes. Wherever this process dies, the record names a value that is whole; what no record names is swept at the start.
"""

import secrets
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Final

import structlog

from gofer.core.errors import GoferError, NotFound
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.core.secret import Secret
from gofer.engines.protocols import SecretStoreEngine
from gofer.sealing import Sealer

_log = structlog.get_logger(__name__)

_ID_BYTES: Final = 16
_SWEPT_AT_ONCE: Final = 500


class SealedBlobs:
    """The values of one server. Every method raises `EngineUnavailable` where the store can't be reached."""

    def __init__(self, *, engine: SecretStoreEngine, sealer: Sealer, instance: InstanceId) -> None:
        self._engine = engine
        self._sealer = sealer
        self._instance = instance

    async def put(self, value: Secret) -> BlobId:
        """Keep a value under a new id."""
        blob = BlobId(secrets.token_hex(_ID_BYTES))
        await self.put_under(blob, value)
        return blob

    async def put_under(self, blob: BlobId, value: Secret) -> None:
        """Keep a value under an id of the caller's, in the place of what is there."""
        sealed = self._sealer.seal(value.reveal().encode())
        await self._engine.put(self._key(blob), sealed)

    async def get(self, blob: BlobId) -> Secret:
        """Give a value. Raises `NotFound`, and `FailedPrecondition` where no key of this server opens it."""
        return Secret(self._sealer.open(await self._engine.get(self._key(blob))).decode())

    async def is_current(self, blob: BlobId) -> bool:
        """Tell whether a value is sealed with the current key. Raises `NotFound`."""
        return self._sealer.is_current(await self._engine.get(self._key(blob)))

    async def all(self) -> tuple[BlobId, ...]:
        """Name every value of this server that is in the store."""
        return tuple([key.blob async for key in self._engine.list_keys(self._instance)])

    async def delete(self, *blobs: BlobId) -> None:
        """Forget values that nothing names any more; what can't be deleted now is left to the next start's sweep."""
        for blob in blobs:
            try:
                await self._engine.delete(self._key(blob))
            except GoferError as error:
                _log.warning("a value that nobody needs is left in the secret store", blob=blob, error=error.message)

    async def sweep(self, keep: Callable[[frozenset[BlobId]], Awaitable[AbstractSet[BlobId]]]) -> int:
        """Delete every value but those that `keep` says are needed, asked for some at a time; say how many went.

        Only before anything is put.
        """
        batch: set[BlobId] = set()
        swept = 0
        async for key in self._engine.list_keys(self._instance):
            batch.add(key.blob)
            if len(batch) >= _SWEPT_AT_ONCE:
                swept += await self._sweep_some(frozenset(batch), keep)
                batch.clear()
        return swept + await self._sweep_some(frozenset(batch), keep)

    async def _sweep_some(
        self, found: frozenset[BlobId], keep: Callable[[frozenset[BlobId]], Awaitable[AbstractSet[BlobId]]]
    ) -> int:
        if not found:
            return 0
        left = found - await keep(found)
        await self.delete(*left)
        return len(left)

    def _key(self, blob: BlobId) -> BlobKey:
        return BlobKey(instance=self._instance, blob=blob)


async def read_current(find: Callable[[], Awaitable[BlobId]], blobs: SealedBlobs, *, tries: int = 3) -> Secret:
    """Give the value that a record names now; one that is replaced while it is read is looked for again.

    Raises what `find` raises, and `NotFound` where the value is gone though its record is there.
    """
    last: BlobId | None = None
    for _ in range(tries):
        blob = await find()
        if blob == last:
            break
        last = blob
        try:
            return await blobs.get(blob)
        except NotFound:
            continue
    raise NotFound("the secret's value is not in the secret store any more: put it again", blob=str(last))
