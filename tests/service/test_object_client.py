"""The client's methods for objects, against a real server."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gofer.app import App
from gofer.config.settings import Settings
from gofer_sdk import errors
from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient, ObjectList
from tests.service.wire import ended, start, up

MIB = 1024 * 1024
LARGE_BYTES = 12 * MIB


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings, object_store=replace(settings.object_store, object_size_limit_bytes=LARGE_BYTES, run_object_expiry=1)
    )


@pytest.fixture
async def client(app: App, stub: proto.GoferStub) -> AsyncIterator[GoferClient]:
    await up(stub)
    async with GoferClient(f"127.0.0.1:{app.server.port}") as opened:
        yield opened


async def test_an_object_goes_up_and_comes_down_again_as_bytes_file_and_pieces(
    client: GoferClient, tmp_path: Path
) -> None:
    content = os.urandom(2 * MIB + 17)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)

    async def pieces() -> AsyncIterator[bytes]:
        yield content[:100]
        yield content[100:]

    for given in (content, source, pieces()):
        answer = await client.objects.put("simple", "cache", given, force=True)
        saved = await client.objects.save("simple", "cache", target)

        assert len(content) == answer.bytes == saved.bytes
        assert content == target.read_bytes() == await client.objects.get("simple", "cache")
    assert ["cache"] == [each.key for each in await client.objects.list("simple")]
    await client.objects.delete("simple", "cache")
    assert 0 == len(await client.objects.list("simple"))
    with pytest.raises(errors.NotFound):
        await client.objects.get("simple", "cache")


async def test_objects_of_a_run_are_those_of_the_newest_where_none_is_named(
    client: GoferClient, stub: proto.GoferStub
) -> None:
    first = await ended(stub, await start(stub))
    answer = await client.objects.put("simple", "result", b"of the first", run=0)
    second = await ended(stub, await start(stub))

    assert first.id == answer.run_id
    with pytest.raises(errors.FailedPrecondition, match="1 runs old"):
        await client.objects.put("simple", "result", b"x", run=first.id)
    assert ObjectList(items=(), run=second.id) == await client.objects.list("simple", run=0)
    await client.objects.put("simple", "result", b"", run=second.id)
    async with client.objects.open("simple", "result", run=0) as found:
        assert (second.id, []) == (found.run, [piece async for piece in found.content])
    await client.objects.delete("simple", "result", run=0)
    assert 0 == len(await client.objects.list("simple", run=second.id))


@pytest.mark.parametrize(
    ("pipeline", "key", "size_bytes", "error"),
    [
        ("missing", "new", LARGE_BYTES, errors.NotFound),
        ("simple", "there", LARGE_BYTES, errors.AlreadyExists),
        ("simple", " new", LARGE_BYTES, errors.InvalidInput),
        ("simple", "new", LARGE_BYTES + 1, errors.LimitReached),
        ("simple", "new", 4 * LARGE_BYTES, errors.LimitReached),
    ],
)
async def test_a_refused_upload_raises_what_the_server_says(
    client: GoferClient, pipeline: str, key: str, size_bytes: int, error: type[errors.CallFailed]
) -> None:
    await client.objects.put("simple", "there", b"x")

    with pytest.raises(error):
        await client.objects.put(pipeline, key, bytes(size_bytes))

    assert ["there"] == [each.key for each in await client.objects.list("simple")]
    assert b"x" == await client.objects.get("simple", "there")


async def test_a_refusal_that_comes_between_two_pieces_is_told_as_one(client: GoferClient) -> None:
    """What is sent after it finds its stream closed, which is no failure of the client's own."""
    await client.objects.put("simple", "there", b"x")

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(20):
            await client.objects.list("simple")
        yield b"more"
        await client.objects.list("simple")
        yield b"more"

    async def ending() -> AsyncIterator[bytes]:
        for _ in range(20):
            await client.objects.list("simple")
        for nothing in (b"",):
            yield nothing

    for content in (slow(), ending()):
        with pytest.raises(errors.AlreadyExists, match="replace it with --force"):
            await client.objects.put("simple", "there", content)


@pytest.mark.parametrize("fault", [OSError("the disk is gone"), TimeoutError(), ValueError("odd")])
async def test_what_content_raises_is_raised_and_leaves_nothing(client: GoferClient, fault: Exception) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(2 * MIB)
        raise fault

    with pytest.raises(type(fault)) as raised:
        await client.objects.put("simple", "cache", breaking())

    assert fault is raised.value
    assert 0 == len(await client.objects.list("simple"))


async def test_an_upload_that_is_cancelled_leaves_nothing(client: GoferClient) -> None:
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(2 * MIB)
        sent.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.objects.put("simple", "cache", endless()), name="upload")
        await sent.wait()
        call.cancel()

    assert 0 == len(await client.objects.list("simple"))


async def test_an_object_that_is_opened_need_not_be_read(client: GoferClient) -> None:
    await client.objects.put("simple", "large", bytes(LARGE_BYTES))

    async with client.objects.open("simple", "large") as found:
        assert LARGE_BYTES == found.details.bytes

    assert LARGE_BYTES == len(await client.objects.get("simple", "large"))
