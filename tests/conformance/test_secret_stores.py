"""What every secret store engine keeps to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from gofer.clock import SystemClock
from gofer.config.settings import SqliteSecretStoreSettings
from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.protocols import SecretStoreEngine
from gofer.engines.secret_store.memory import MemorySecretStore
from gofer.engines.secret_store.sqlite import SqliteSecretStore
from tests.conformance.backups import (
    ELSEWHERE,
    EVERY_BYTE,
    HERE,
    check_a_backup_of_an_open_store,
    check_a_backup_of_nothing,
)
from tests.conformance.given import GIVEN, engines, given_case

Make = Callable[[], SecretStoreEngine]


def key(blob: str, instance: InstanceId = HERE) -> BlobKey:
    return BlobKey(instance=instance, blob=BlobId(blob))


@pytest.fixture(params=engines("secret_store", "sqlite", "memory"))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make an adapter of the same store, each time a new one."""
    if request.param == GIVEN:
        return cast("Make", given_case(tmp_path).make)
    if request.param == "memory":
        one = MemorySecretStore()
        return lambda: one
    settings = SqliteSecretStoreSettings(path=tmp_path / "store" / "secrets.db")
    return lambda: SqliteSecretStore(settings, clock=SystemClock())


@pytest.fixture
async def store(make: Make) -> AsyncIterator[SecretStoreEngine]:
    async with make() as entered:
        yield entered


async def listed(store: SecretStoreEngine, instance: InstanceId = HERE) -> set[str]:
    return {each.blob async for each in store.list_keys(instance)}


@pytest.mark.parametrize("content", [b"", b"x", EVERY_BYTE, EVERY_BYTE * 8_192])
async def test_what_was_put_comes_back_byte_for_byte(store: SecretStoreEngine, content: bytes) -> None:
    await store.put(key("a"), content)

    assert content == await store.get(key("a"))


async def test_what_was_never_put_is_not_found(store: SecretStoreEngine) -> None:
    with pytest.raises(NotFound):
        await store.get(key("a"))


async def test_putting_again_replaces(store: SecretStoreEngine) -> None:
    await store.put(key("a"), b"old, and longer")
    await store.put(key("a"), b"new")

    assert b"new" == await store.get(key("a"))
    assert {"a"} == await listed(store)


async def test_what_was_deleted_is_gone_and_deleting_it_again_is_done(store: SecretStoreEngine) -> None:
    await store.put(key("a"), b"x")
    await store.put(key("b"), b"y")

    await store.delete(key("a"))
    await store.delete(key("a"))

    with pytest.raises(NotFound):
        await store.get(key("a"))
    assert {"b"} == await listed(store)


async def test_instances_that_share_a_store_do_not_meet(store: SecretStoreEngine) -> None:
    await store.put(key("a"), b"here")
    await store.put(key("a", ELSEWHERE), b"there")

    await store.delete(key("a"))

    assert b"there" == await store.get(key("a", ELSEWHERE))
    assert (set(), {"a"}) == (await listed(store), await listed(store, ELSEWHERE))


async def test_every_key_is_listed_however_many_there_are(store: SecretStoreEngine) -> None:
    names = {f"{number:032x}" for number in range(1_201)}
    await asyncio.gather(*(store.put(key(name), b"x") for name in names))

    assert names == await listed(store)


async def test_the_store_may_change_while_it_is_listed(store: SecretStoreEngine) -> None:
    for number in range(10):
        await store.put(key(f"{number}"), b"x")

    async for each in store.list_keys(HERE):
        await store.put(each, b"y")
        await store.delete(each)

    assert set() == await listed(store)


async def test_calls_at_the_same_time_do_not_disturb_each_other(store: SecretStoreEngine) -> None:
    async def life(number: int) -> bytes:
        name = key(f"{number}")
        await store.put(name, b"%d" % number)
        content = await store.get(name)
        if number % 2:
            await store.delete(name)
        return content

    found = await asyncio.gather(*map(life, range(100)))

    assert [b"%d" % number for number in range(100)] == found
    assert {f"{number}" for number in range(0, 100, 2)} == await listed(store)


async def test_what_was_put_is_there_when_the_store_is_opened_again(make: Make) -> None:
    async with make() as first:
        await first.put(key("a"), EVERY_BYTE)

    async with make() as second:
        assert EVERY_BYTE == await second.get(key("a"))


async def test_what_is_backed_up_while_the_store_is_open_is_restored_over_what_is_there(
    make: Make, tmp_path: Path
) -> None:
    async def put(store: SecretStoreEngine, at: BlobKey, value: bytes) -> None:
        await store.put(at, value)

    async def get(store: SecretStoreEngine, at: BlobKey) -> bytes:
        return await store.get(at)

    await check_a_backup_of_an_open_store(make, tmp_path / "backup", put=put, get=get)


async def test_a_backup_of_nothing_is_restored_into_a_store_that_was_never_opened(make: Make, tmp_path: Path) -> None:
    await check_a_backup_of_nothing(make, tmp_path / "backup")
