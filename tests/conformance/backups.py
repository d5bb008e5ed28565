"""What every store keeps to that can be backed up by its own means."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.backing_up import BackedUpStore, Store, backing_up
from gofer.engines.protocols import ObjectStoreEngine, SecretStoreEngine

HERE = InstanceId("0123456789ab")
ELSEWHERE = InstanceId("ba9876543210")
EVERY_BYTE = bytes(range(256))

S = TypeVar("S", ObjectStoreEngine, SecretStoreEngine)


def able_to_back_up(store: Store) -> BackedUpStore:
    """Give the store as one that can be; skips where it can't."""
    able = backing_up(store)
    if able is None:
        pytest.skip(f"the store {store.name} has no means of its own to be backed up")
    return able


async def check_a_backup_of_an_open_store(
    make: Callable[[], S],
    folder: Path,
    *,
    put: Callable[[S, BlobKey, bytes], Awaitable[object]],
    get: Callable[[S, BlobKey], Awaitable[bytes]],
) -> None:
    """Back up what is kept while it is, change it, and have the backup restored over it, twice."""
    able = able_to_back_up(make())
    folder.mkdir()
    async with make() as first:
        for number in range(3):
            await put(first, _key(number), EVERY_BYTE + b"%d" % number)
        await put(first, _key(1, ELSEWHERE), b"other")
        missing = [await able.back_up([_key(each) for each in keys], folder) for keys in ((0, 9), (0, 1, 2))]
        await first.delete(_key(0))
        await put(first, _key(1), b"newer")

    for _ in range(2):
        await able_to_back_up(make()).restore(folder)

    assert [[_key(9)], []] == [list(each) for each in missing]
    async with make() as second:
        restored = [await get(second, _key(number)) for number in range(3)]
        assert [EVERY_BYTE + b"%d" % number for number in range(3)] == restored
        assert b"other" == await get(second, _key(1, ELSEWHERE))
        assert [_key(1, ELSEWHERE)] == [each async for each in second.list_keys(ELSEWHERE)]


async def check_a_backup_of_nothing(make: Callable[[], S], folder: Path) -> None:
    """Back up nothing, and restore it into a store that was never opened."""
    folder.mkdir()

    assert [] == list(await able_to_back_up(make()).back_up([], folder))
    await able_to_back_up(make()).restore(folder)

    async with make() as store:
        assert [] == [each async for each in store.list_keys(HERE)]


def _key(number: int, instance: InstanceId = HERE) -> BlobKey:
    return BlobKey(instance=instance, blob=BlobId(f"{number:032}"))
