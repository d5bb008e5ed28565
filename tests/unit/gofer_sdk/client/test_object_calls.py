"""Each method for objects asks for what it was told to ask for, and gives what the server said."""

import asyncio
import io
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import IO, cast

import betterproto2
import pytest

from gofer_sdk import proto
from gofer_sdk.client import GoferClient, ObjectList
from gofer_sdk.client.object_files import PIECE_BYTES, Content, pieces_of, write_file
from gofer_sdk.errors import NotServed, ServerFault
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.calls import Case, each_of, outcome

CACHE = proto.ObjectStoreKey(key="cache", created=1, bytes=5)

CALLS: list[Case] = [
    (
        lambda client: client.objects.list("nightly", namespace="team"),
        proto.ListPipelineObjectsRequest(namespace_id="team", pipeline_id="nightly"),
        proto.ListPipelineObjectsResponse(keys=[CACHE]),
        ObjectList(items=(CACHE,)),
    ),
    (
        lambda client: client.objects.list("nightly", run=3, namespace="team"),
        proto.ListRunObjectsRequest(namespace_id="team", pipeline_id="nightly", run_id=3),
        proto.ListRunObjectsResponse(keys=[CACHE], run_id=3),
        ObjectList(items=(CACHE,), run=3),
    ),
    (
        lambda client: client.objects.delete("nightly", "cache", namespace="team"),
        proto.DeletePipelineObjectRequest(namespace_id="team", pipeline_id="nightly", key="cache"),
        proto.DeletePipelineObjectResponse(),
        None,
    ),
    (
        lambda client: client.objects.delete("nightly", "cache", run=0),
        proto.DeleteRunObjectRequest(pipeline_id="nightly", key="cache"),
        proto.DeleteRunObjectResponse(),
        None,
    ),
]


@each_of(CALLS)
async def test_a_method_sends_its_request_and_gives_the_answer(
    server: FakeServer, client: GoferClient, case: Case
) -> None:
    assert case[-1] == await outcome(server, client, case)


async def test_a_download_asks_for_one_object_and_gives_its_pieces(server: FakeServer, client: GoferClient) -> None:
    async def give(_: betterproto2.Message) -> AsyncIterator[proto.DownloadObjectResponse]:
        yield proto.DownloadObjectResponse(metadata=CACHE, run_id=4)
        yield proto.DownloadObjectResponse(content=b"abc")
        yield proto.DownloadObjectResponse(content=b"de")

    server.stream("DownloadObject", give)

    async with client.objects.open("nightly", "cache", run=4, namespace="team") as found:
        pieces = [piece async for piece in found.content]

    assert (CACHE, 4, [b"abc", b"de"]) == (found.details, found.run, pieces)
    name = proto.ObjectName(namespace_id="team", pipeline_id="nightly", key="cache", of_run=True, run_id=4)
    assert [proto.DownloadObjectRequest(object=name)] == server.requests


async def test_a_download_that_ends_too_early_is_no_object(
    server: FakeServer, client: GoferClient, tmp_path: Path
) -> None:
    async def give(_: betterproto2.Message) -> AsyncIterator[proto.DownloadObjectResponse]:
        yield proto.DownloadObjectResponse(metadata=CACHE)
        yield proto.DownloadObjectResponse(content=b"abc")

    server.stream("DownloadObject", give)
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises(ServerFault, match="2 bytes of the object 'cache' are missing"):
        await client.objects.get("nightly", "cache")
    with pytest.raises(ServerFault):
        await client.objects.save("nightly", "cache", tmp_path / "file")

    assert ["file"] == [each.name for each in tmp_path.iterdir()]
    assert b"old" == (tmp_path / "file").read_bytes()


async def test_a_download_without_a_head_is_a_fault_of_the_server(server: FakeServer, client: GoferClient) -> None:
    async def give(_: betterproto2.Message) -> AsyncIterator[proto.DownloadObjectResponse]:
        yield proto.DownloadObjectResponse(content=b"abc")

    server.stream("DownloadObject", give)

    with pytest.raises(ServerFault, match="DownloadObject: the server's answer is empty"):
        await client.objects.get("nightly", "cache")


async def test_an_upload_that_is_refused_at_once_is_told_as_refused(server: FakeServer, client: GoferClient) -> None:
    """However much is still to be sent: the server reads none of it."""
    assert server.port

    async def much() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(PIECE_BYTES)

    with pytest.raises(NotServed):
        await client.objects.put("nightly", "cache", much())


async def test_content_of_every_kind_comes_in_pieces_of_a_mebibyte(tmp_path: Path) -> None:
    content = bytes(range(256)) * (5 * PIECE_BYTES // 512) + b"end"
    path = tmp_path / "content"
    path.write_bytes(content)

    async def parts() -> AsyncIterator[bytes]:
        yield b""
        yield content[:10]
        yield content[10:]

    with path.open("rb") as file:
        for given in (content, path, file, parts()):
            async with aclosing(pieces_of(given)) as pieces:
                got = [piece async for piece in pieces]

            assert content == b"".join(got)
            assert all(0 < len(piece) <= PIECE_BYTES for piece in got)
        assert not file.closed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a text", "the content is a str: give bytes"),
        (io.StringIO("a text"), "gives str and no bytes: open a file with"),
    ],
)
async def test_content_that_is_none_is_told_and_nothing_is_kept(
    server: FakeServer, client: GoferClient, content: Content, words: str
) -> None:
    """A text had no attribute 'read'."""
    with pytest.raises(TypeError, match=words):
        await client.objects.put("nightly", "cache", content)

    assert [] == server.requests


@pytest.mark.parametrize("nothing", [b"", Path(os.devnull)])
async def test_nothing_is_no_piece(nothing: bytes | Path) -> None:
    assert [] == [piece async for piece in pieces_of(nothing)]


async def test_a_file_that_is_written_replaces_the_old_one_when_it_is_whole(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)

    async def new() -> AsyncIterator[bytes]:
        yield b"ne"
        assert b"old" == real.read_bytes()
        yield b"w"

    await write_file(link, new())

    assert b"new" == real.read_bytes()
    assert link.is_symlink()
    assert {"real", "link"} == {each.name for each in tmp_path.iterdir()}


class SlowPath(type(Path())):  # type: ignore[misc]  # Path makes itself of a class that only it knows
    """A path on a disk that takes its time: it is opened when the test says so."""

    asked = threading.Event()
    ready = threading.Event()

    def open(self, *args: object, **options: object) -> IO[bytes]:
        self.asked.set()
        self.ready.wait()
        return cast("IO[bytes]", super().open(*args, **options))


@pytest.fixture
def slow(tmp_path: Path) -> SlowPath:
    SlowPath.asked, SlowPath.ready = threading.Event(), threading.Event()
    return SlowPath(tmp_path / "slow")


async def cancelled_while_it_is_opened(work: Coroutine[object, object, object]) -> None:
    task = asyncio.create_task(work)
    await asyncio.to_thread(SlowPath.asked.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    SlowPath.ready.set()


async def test_a_file_whose_opening_is_cancelled_is_not_left_there(slow: SlowPath) -> None:
    """It came into being after the cancel had looked for what there was to remove."""

    async def some() -> AsyncIterator[bytes]:
        yield b"some"

    await cancelled_while_it_is_opened(write_file(slow, some()))
    await asyncio.get_running_loop().shutdown_default_executor()

    assert [] == list(slow.parent.iterdir())


async def test_a_file_that_is_read_is_closed_where_its_opening_is_cancelled(slow: SlowPath) -> None:
    Path(slow).write_bytes(b"some")

    await cancelled_while_it_is_opened(anext(pieces_of(slow)))
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_what_is_no_file_is_written_to_and_not_replaced() -> None:
    async def some() -> AsyncIterator[bytes]:
        yield b"some"

    await write_file(Path(os.devnull), some())

    assert not Path(os.devnull).is_file()
