"""Following a file that another process appends to."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from gofer.core.output import LogChunk
from gofer.engines.process.inotify import FileChanges
from gofer.engines.process.spool import SpoolReader
from gofer.engines.process.watch import Watch


@pytest.fixture
async def changes() -> AsyncIterator[FileChanges]:
    made = FileChanges()
    yield made
    made.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


def in_thread(work: Callable[[], bytes]) -> Awaitable[bytes]:
    return asyncio.to_thread(work)


def reader_of(spool: Path, changes: FileChanges, watch: Watch) -> SpoolReader:
    reader = SpoolReader(changes=changes, run=in_thread)
    reader.attach(os.open(spool, os.O_RDONLY), spool, watch)
    return reader


def append(spool: Path, data: bytes) -> None:
    with spool.open("ab") as file:
        file.write(data)


@pytest.mark.parametrize("is_told", [True, False], ids=["inotify", "timer"])
async def test_what_is_appended_comes_with_and_without_being_told(
    spool: Path, changes: FileChanges, *, is_told: bool
) -> None:
    watch = Watch()
    if not is_told:
        changes.close()
    reader = reader_of(spool, changes, watch)

    async with aclosing(reader.follow(0)) as chunks:
        read = []
        for data in (b"one", b"two", b"three"):
            append(spool, data)
            read.append((await anext(chunks)).data)
        append(spool, b"last")
        watch.mark_ended()
        read += [chunk.data async for chunk in chunks]
    reader.close()

    assert read == [b"one", b"two", b"three", b"last"]


async def test_an_end_without_output_is_told(spool: Path, changes: FileChanges) -> None:
    watch = Watch()
    reader = reader_of(spool, changes, watch)

    async with asyncio.TaskGroup() as group, aclosing(reader.follow(0)) as chunks:
        reading = group.create_task(rest_of(chunks))
        await asyncio.sleep(0)
        watch.mark_ended()
        await reading
    reader.close()

    assert reading.result() == b""


async def test_a_file_that_comes_after_the_close_is_closed(spool: Path, changes: FileChanges) -> None:
    reader = SpoolReader(changes=changes, run=in_thread)
    reader.close()
    file = os.open(spool, os.O_RDONLY)

    reader.attach(file, spool, Watch())

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


async def test_listeners_of_one_file_are_told_apart(spool: Path, changes: FileChanges) -> None:
    one, other = asyncio.Event(), asyncio.Event()
    number = changes.listen(spool, one.set)
    assert changes.listen(spool, other.set) == number
    changes.leave(number, one.set)

    append(spool, b"x")
    await other.wait()

    assert not one.is_set()


async def test_a_file_that_is_not_there_can_not_be_listened_to(tmp_path: Path, changes: FileChanges) -> None:
    number = changes.listen(tmp_path / "missing", lambda: None)

    assert number < 0
    changes.leave(number, lambda: None)


async def rest_of(chunks: AsyncIterator[LogChunk]) -> bytes:
    return b"".join([chunk.data async for chunk in chunks])
