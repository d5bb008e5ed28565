"""Values in the secret store, sealed before the store gets them and opened after it gave them."""

from collections.abc import Awaitable, Callable

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

    async def put(self, value: Secret) -> BlobId:
        """Keep a value under a new id."""
        blob = self._new_id()
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
