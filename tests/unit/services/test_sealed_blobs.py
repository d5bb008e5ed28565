import asyncio

from gofer.core.ids import AttemptId, BlobKey, InstanceId, TaskId
from gofer.core.secret import Secret
from gofer.engines.secret_store.memory import MemorySecretStore
from gofer.sealing import Sealer, SealingKey
from gofer.services.blobs import SealedBlobs
from gofer.services.masks import AttemptMasks, mask_id
from tests.factories import run_key

OLD, NEW = (SealingKey(bytes([number]) * 32) for number in (1, 2))
INSTANCE = InstanceId("0123456789ab")
ATTEMPT = AttemptId(key=run_key().task(TaskId("hello")), number=1, instance=INSTANCE)


class GatedStore(MemorySecretStore):
    """Holds whoever has read a value, until the test lets go."""

    def __init__(self) -> None:
        super().__init__()
        self.has_read = asyncio.Event()
        self.let_go = asyncio.Event()

    async def get(self, key: BlobKey) -> bytes:
        found = await super().get(key)
        self.has_read.set()
        await self.let_go.wait()
        return found


async def test_what_an_attempt_keeps_while_what_it_kept_is_sealed_again_is_not_lost() -> None:
    """A new key's rotation, having read the older values, put them in the place of what a second try to launch kept."""
    store = GatedStore()
    before = SealedBlobs(engine=store, sealer=Sealer(OLD), instance=INSTANCE)
    blobs = SealedBlobs(engine=store, sealer=Sealer(NEW, previous=(OLD,)), instance=INSTANCE)
    masks = AttemptMasks(blobs=blobs)
    await AttemptMasks(blobs=before).keep(ATTEMPT, [Secret("older")])

    async with asyncio.TaskGroup() as group:
        resealing = group.create_task(blobs.reseal(mask_id(str(ATTEMPT))), name="rotation")
        await store.has_read.wait()
        keeping = group.create_task(masks.keep(ATTEMPT, [Secret("newer")]), name="launch")
        await asyncio.sleep(0)  # it puts at once, unless it waits for the other
        store.let_go.set()

    assert resealing.result()
    assert keeping.done()
    assert (Secret("newer"),) == await masks.kept(ATTEMPT)


async def test_sealing_again_leaves_what_is_under_the_current_key_as_it_is() -> None:
    store = MemorySecretStore()
    blobs = SealedBlobs(engine=store, sealer=Sealer(NEW, previous=(OLD,)), instance=INSTANCE)
    blob = await blobs.put(Secret("value"))
    sealed = await store.get(BlobKey(instance=INSTANCE, blob=blob))

    assert not await blobs.reseal(blob)
    assert sealed == await store.get(BlobKey(instance=INSTANCE, blob=blob))
