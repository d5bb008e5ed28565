"""What every object store engine keeps to."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from gofer.clock import SystemClock
from gofer.config.settings import FilesystemObjectStoreSettings, SqliteObjectStoreSettings
from gofer.core.errors import EngineUnavailable, NotFound
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.object_store.filesystem import FilesystemObjectStore
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.engines.object_store.sqlite import SqliteObjectStore
from gofer.engines.protocols import ObjectStoreEngine
from tests.conformance.backups import (
    ELSEWHERE,
    EVERY_BYTE,
    HERE,
    check_a_backup_of_an_open_store,
    check_a_backup_of_nothing,
)
from tests.conformance.given import engines, given_case

MIB = 1024 * 1024

Make = Callable[[], ObjectStoreEngine]


def key(blob: str, instance: InstanceId = HERE) -> BlobKey:
    return BlobKey(instance=instance, blob=BlobId(blob.rjust(32, "0")))


@pytest.fixture(params=engines("object_store", "sqlite", "filesystem", "memory"))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make an adapter of the same store, each time a new one."""
    match request.param:
        case "given":
            return cast("Make", given_case(tmp_path).make)
        case "memory":
            one = MemoryObjectStore()
            return lambda: one
        case "filesystem":
            folder = FilesystemObjectStoreSettings(path=tmp_path / "store")
            return lambda: FilesystemObjectStore(folder)
        case _:
            file = SqliteObjectStoreSettings(path=tmp_path / "store" / "objects.db")
            return lambda: SqliteObjectStore(file, clock=SystemClock())


@pytest.fixture
async def store(make: Make) -> AsyncIterator[ObjectStoreEngine]:
    async with make() as entered:
        yield entered


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def put(store: ObjectStoreEngine, where: BlobKey, content: bytes) -> int:
    return await store.put(where, stream(content))


async def pieces_of(store: ObjectStoreEngine, where: BlobKey) -> list[bytes]:
    async with aclosing(store.get(where)) as pieces:
        return [piece async for piece in pieces]


async def get(store: ObjectStoreEngine, where: BlobKey) -> bytes:
    return b"".join(await pieces_of(store, where))


async def listed(store: ObjectStoreEngine, instance: InstanceId = HERE) -> set[str]:
    return {each.blob.lstrip("0") async for each in store.list_keys(instance)}


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"",),
        (b"x",),
        (b"", EVERY_BYTE, b"", b"\0"),
        (EVERY_BYTE * 4096,),
        (EVERY_BYTE * 4096, b"x"),
        (b"x" * (MIB - 1), b"yz", EVERY_BYTE * 3 * 4096),
        (EVERY_BYTE * 4096,) * 17,
    ],
    ids=["none", "empty", "one byte", "every byte", "one piece", "one and a byte", "odd pieces", "many pieces"],
)
async def test_what_was_put_comes_back_byte_for_byte(store: ObjectStoreEngine, pieces: Sequence[bytes]) -> None:
    content = b"".join(pieces)

    assert len(content) == await store.put(key("a"), stream(*pieces))

    found = await pieces_of(store, key("a"))
    assert content == b"".join(found)
    assert all(0 < len(piece) <= MIB for piece in found)


async def test_what_was_never_put_is_not_found(store: ObjectStoreEngine) -> None:
    with pytest.raises(NotFound):
        await get(store, key("a"))


@pytest.mark.parametrize("size_bytes", [10, 20 * MIB])
async def test_putting_again_replaces(store: ObjectStoreEngine, size_bytes: int) -> None:
    await put(store, key("a"), b"o" * size_bytes)
    await put(store, key("a"), b"new")

    assert b"new" == await get(store, key("a"))
    assert {"a"} == await listed(store)


@pytest.mark.parametrize("size_bytes", [1, 8 * MIB, 20 * MIB])
async def test_what_was_deleted_is_gone_and_deleting_it_again_is_done(
    store: ObjectStoreEngine, size_bytes: int
) -> None:
    await put(store, key("a"), b"x" * size_bytes)
    await put(store, key("b"), b"y")

    await store.delete(key("a"))
    await store.delete(key("a"))

    with pytest.raises(NotFound):
        await get(store, key("a"))
    assert {"b"} == await listed(store)


async def test_what_is_deleted_while_it_is_read_is_never_given_as_if_it_were_whole(store: ObjectStoreEngine) -> None:
    content = EVERY_BYTE * 4096 * 12
    await put(store, key("a"), content)
    got = b""
    try:
        async with aclosing(store.get(key("a"))) as pieces:
            async for piece in pieces:
                got += piece
                await store.delete(key("a"))
    except NotFound:
        assert len(got) < len(content)
    else:
        assert content == got


async def test_nobody_sees_an_upload_before_its_end(store: ObjectStoreEngine) -> None:
    await put(store, key("a"), b"old")

    async def content() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"n" * MIB
        assert b"old" == await get(store, key("a"))
        assert {"a"} == await listed(store)

    await store.put(key("a"), content())

    assert b"n" * 3 * MIB == await get(store, key("a"))


async def test_an_upload_that_fails_leaves_what_was_there(store: ObjectStoreEngine) -> None:
    await put(store, key("a"), b"old")

    async def content() -> AsyncIterator[bytes]:
        yield b"n" * 3 * MIB
        raise ConnectionError("the client has gone")

    for name in ("a", "b"):
        with pytest.raises(ConnectionError, match="the client has gone"):
            await store.put(key(name), content())

    assert b"old" == await get(store, key("a"))
    assert {"a"} == await listed(store)


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_an_upload_that_is_cancelled_leaves_nothing(make: Make, tmp_path: Path, after: int) -> None:
    async with make() as store:
        waits = asyncio.Event()

        async def content() -> AsyncIterator[bytes]:
            for _ in range(after):
                yield b"n" * 2 * MIB
            waits.set()
            await asyncio.Event().wait()

        upload = asyncio.create_task(store.put(key("a"), content()))
        await waits.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload

        assert set() == await listed(store)
        await put(store, key("b"), b"x")
        assert {"b"} == await listed(store)
    async with make() as again:
        assert {"b"} == await listed(again)
        assert not list((tmp_path / "store").glob("staging/*"))


async def test_instances_that_share_a_store_do_not_meet(store: ObjectStoreEngine) -> None:
    await put(store, key("a"), b"here")
    await put(store, key("a", ELSEWHERE), b"there")

    await store.delete(key("a"))

    assert b"there" == await get(store, key("a", ELSEWHERE))
    assert (set(), {"a"}) == (await listed(store), await listed(store, ELSEWHERE))


async def test_every_key_is_listed_however_many_there_are(store: ObjectStoreEngine) -> None:
    names = {f"{number:x}".rjust(32, "f") for number in range(1, 601)}
    await asyncio.gather(*(put(store, key(name), b"x") for name in names))

    assert names == await listed(store)


async def test_the_store_may_change_while_it_is_listed(store: ObjectStoreEngine) -> None:
    for number in range(1, 10):
        await put(store, key(f"{number}"), b"x")

    async for each in store.list_keys(HERE):
        await put(store, each, b"y")
        await store.delete(each)

    assert set() == await listed(store)


async def test_calls_at_the_same_time_do_not_disturb_each_other(store: ObjectStoreEngine) -> None:
    async def life(number: int) -> bytes:
        name = key(f"{number}")
        await store.put(name, stream(b"%d" % number, b"x" * (MIB if number < 5 else 0), b"!"))
        content = await get(store, name)
        if number % 2:
            await store.delete(name)
        return content

    found = await asyncio.gather(*map(life, range(1, 41)))

    assert [b"%d" % number + b"x" * (MIB if number < 5 else 0) + b"!" for number in range(1, 41)] == found
    assert {f"{number}".strip("0") or "0" for number in range(2, 41, 2)} == {
        name.strip("0") for name in await listed(store)
    }


async def test_what_was_put_is_there_when_the_store_is_opened_again(make: Make) -> None:
    async with make() as first:
        await put(first, key("a"), EVERY_BYTE * 8192)

    async with make() as second:
        assert EVERY_BYTE * 8192 == await get(second, key("a"))


async def test_a_store_that_is_closed_says_so(make: Make) -> None:
    store = make()
    if not isinstance(store, (SqliteObjectStore, FilesystemObjectStore)):  # of others nothing is promised
        return
    with pytest.raises(EngineUnavailable, match="not open"):
        await put(store, key("a"), b"x")
    with pytest.raises(EngineUnavailable, match="not open"):
        await get(store, key("a"))


async def test_what_is_backed_up_while_the_store_is_open_is_restored_over_what_is_there(
    make: Make, tmp_path: Path
) -> None:
    await check_a_backup_of_an_open_store(make, tmp_path / "backup", put=put, get=get)


async def test_a_backup_of_nothing_is_restored_into_a_store_that_was_never_opened(make: Make, tmp_path: Path) -> None:
    await check_a_backup_of_nothing(make, tmp_path / "backup")


async def test_a_folder_that_was_removed_is_a_store_that_can_not_be_used_now(tmp_path: Path) -> None:
    async with FilesystemObjectStore(FilesystemObjectStoreSettings(path=tmp_path / "store")) as store:
        shutil.rmtree(tmp_path / "store" / "staging")

        with pytest.raises(EngineUnavailable, match="can't be used now"):
            await put(store, key("a"), b"x")
