"""Values in the secret store, sealed before the store gets them and opened after it gave them."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, InstanceId
from gofer.core.secret import Secret
from gofer.engines.protocols import SecretStoreEngine
from gofer.sealing import Sealer
from gofer.services.stored_blobs import StoredBlobs


class SealedBlobs(StoredBlobs):
    """The values of one server. Every method raises `EngineUnavailable` where the store can't be reached."""

    def __init__(self, *, engine: SecretStoreEngine, sealer: Sealer, instance: InstanceId) -> None:
        super().__init__(store=engine, store_name="secret store", instance=instance)
        self._engine = engine
        self._sealer = sealer
        self._replacing: WeakValueDictionary[BlobId, asyncio.Lock] = WeakValueDictionary()

    async def put(self, value: Secret) -> BlobId:
        """Keep a value under a new id."""
        blob = self._new_id()
        await self._put(blob, value)
        return blob

    async def put_under(self, blob: BlobId, value: Secret) -> None:
        """Keep a value under an id of the caller's, in the place of what is there."""
        async with self._replaced_by_one(blob):
            await self._put(blob, value)

    async def reseal(self, blob: BlobId) -> bool:
        """Seal a value with the current key; tell whether it was not. Raises as `get`."""
        async with self._replaced_by_one(blob):
            sealed = await self._engine.get(self._key(blob))
            if self._sealer.is_current(sealed):
                return False
            await self._engine.put(self._key(blob), self._sealer.seal(self._sealer.open(sealed)))
            return True

    async def get(self, blob: BlobId) -> Secret:
        """Give a value. Raises `NotFound`, and `FailedPrecondition` where no key of this server opens it."""
        return Secret(self._sealer.open(await self._engine.get(self._key(blob))).decode())

    async def _put(self, blob: BlobId, value: Secret) -> None:
        await self._engine.put(self._key(blob), self._sealer.seal(value.reveal().encode()))

    def _replaced_by_one(self, blob: BlobId) -> asyncio.Lock:
        # Sealing again reads and writes: what somebody else puts between the two would be lost.
        return self._replacing.setdefault(blob, asyncio.Lock())


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
