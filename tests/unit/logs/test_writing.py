import asyncio
import errno
import os
import resource
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.core.ids import TaskRunKey
from gofer.core.output import LogCursor
from gofer.logs import LogStore
from gofer.logs.files import OpenLog
from tests.fakes.waiting import pass_turns, until
from tests.unit.logs.keys import err, key_of, out

KEY = key_of()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def store(root: Path) -> LogStore:
    return LogStore(root)


async def test_a_log_holds_what_was_appended_in_its_order(store: LogStore, root: Path) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"one\n"))
        await writer.append(err(b"two\x00\xff"))
        await writer.append(out(b""))
        cursor = writer.cursor

    assert (root / "default" / "pipe" / "1" / "task").read_bytes() == b"one\ntwo\x00\xff"
    assert store.path(KEY) == root / "default" / "pipe" / "1" / "task"
    assert cursor == LogCursor(stdout_bytes=4, stderr_bytes=5)


async def test_files_and_folders_are_private(store: LogStore, root: Path) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"x"))

    found = {path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    assert found == {
        "default": 0o700,
        "default/pipe": 0o700,
        "default/pipe/1": 0o700,
        "default/pipe/1/task": 0o600,
        "default/pipe/1/task.index": 0o600,
    }


async def test_writing_goes_on_where_it_ended(store: LogStore) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"one\n"))
        await writer.append(err(b"two\n"))

    async with store.writer(KEY) as writer:
        begin = writer.cursor
        await writer.append(out(b"three\n"))
        end = writer.cursor

    assert begin == LogCursor(stdout_bytes=4, stderr_bytes=4)
    assert end == LogCursor(stdout_bytes=10, stderr_bytes=4)
    assert store.path(KEY).read_bytes() == b"one\ntwo\nthree\n"


async def test_a_masked_chunk_stands_for_its_raw_bytes(store: LogStore) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"***\n"), raw_bytes=20)
        await writer.append(err(b""), raw_bytes=7)

    async with store.writer(KEY) as writer:
        assert writer.cursor == LogCursor(stdout_bytes=20, stderr_bytes=7)
        assert writer.size_bytes == 4


@pytest.mark.parametrize(
    "key",
    [
        key_of("../task"),
        key_of("a.b"),
        key_of("."),
        key_of(namespace=".."),
        key_of(pipeline="a/b"),
        key_of(pipeline=""),
        key_of(run=-1),
        key_of("task\n"),
    ],
)
async def test_a_key_that_is_none_is_refused(store: LogStore, root: Path, key: TaskRunKey) -> None:
    with pytest.raises(InvalidInput):
        async with store.writer(key):
            pass
    assert not root.exists()


async def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "logs").symlink_to(tmp_path / "real")

    with pytest.raises(FailedPrecondition, match="symbolic link"):
        async with LogStore(tmp_path / "logs").writer(KEY):
            pass


async def test_a_log_that_was_replaced_by_a_link_is_not_followed(store: LogStore, tmp_path: Path) -> None:
    async with store.writer(KEY):
        pass
    store.path(KEY).unlink()
    store.path(KEY).symlink_to(tmp_path / "precious")

    with pytest.raises(OSError, match="Too many levels"):
        async with store.writer(KEY):
            pass

    assert not (tmp_path / "precious").exists()


async def test_a_log_has_one_writer_at_a_time(store: LogStore) -> None:
    async with store.writer(KEY):
        assert store.is_written(KEY)
        with pytest.raises(FailedPrecondition, match="already"):
            async with store.writer(KEY):
                pass
        async with store.writer(key_of("other")):
            pass

    assert not store.is_written(KEY)


async def test_many_small_chunks_go_out_in_few_writes(store: LogStore) -> None:
    index = store.path(KEY).with_name("task.index")

    async with store.writer(KEY) as writer:
        for number in range(5000):
            await writer.append(out(b"%d\n" % number))
        await writer.flush()
        records = index.stat().st_size // 28
    kept = index.stat().st_size // 28

    assert records < 500
    assert kept == 1
    assert store.path(KEY).read_bytes() == b"".join(b"%d\n" % number for number in range(5000))


async def test_a_block_that_fails_keeps_what_it_appended(store: LogStore) -> None:
    async def write() -> None:
        async with store.writer(KEY) as writer:
            await writer.append(out(b"before"))
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await write()

    assert store.path(KEY).read_bytes() == b"before"


async def test_a_block_that_is_cancelled_keeps_what_it_appended(store: LogStore) -> None:
    appended = asyncio.Event()

    async def write() -> None:
        async with store.writer(KEY) as writer:
            await writer.append(out(b"before"))
            appended.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await appended.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert store.path(KEY).read_bytes() == b"before"
    assert not store.is_written(KEY)


@pytest.mark.parametrize("turns", range(8))
async def test_a_writer_can_be_cancelled_at_any_moment(store: LogStore, turns: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def write() -> None:
        async with store.writer(KEY) as writer:
            for number in range(100):
                await writer.append(out(b"%d\n" % number))
                await asyncio.sleep(0)

    task = asyncio.create_task(write())
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait({task})
    await until(lambda: not store.is_written(KEY))  # a thread may still be opening its files

    async with store.writer(KEY) as writer:
        size = writer.cursor.stdout_bytes
    whole = b"".join(b"%d\n" % number for number in range(100))
    assert store.path(KEY).read_bytes() == whole[:size]
    # Files whose opening was cancelled are closed as soon as the thread has opened them.
    await until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


async def test_a_disk_that_refuses_is_told_with_its_reason_and_what_is_whole_stays(store: LogStore) -> None:
    async def write() -> None:
        async with store.writer(KEY) as writer:
            await writer.append(out(b"x" * 60_000))
            await writer.flush()
            await writer.append(out(b"y" * 60_000))
            await writer.flush()

    with file_size_limit(100_000), pytest.raises(OSError, match="the log of default/pipe/1/task can't be") as caught:
        await write()
    assert caught.value.errno == errno.EFBIG

    async with store.writer(KEY) as writer:
        assert writer.cursor == LogCursor(stdout_bytes=60_000)
        await writer.append(out(b"y" * 60_000))
    assert store.path(KEY).read_bytes() == b"x" * 60_000 + b"y" * 60_000


async def test_a_refusal_that_comes_last_is_told_too(store: LogStore) -> None:
    with file_size_limit(100_000), pytest.raises(OSError, match="File too large"):
        async with store.writer(KEY) as writer:
            await writer.append(out(b"x" * 200_000))


async def test_who_writes_faster_than_the_disk_is_held_back(store: LogStore) -> None:
    release = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with store.writer(KEY) as writer:
        stuck = asyncio.get_running_loop().run_in_executor(None, release.wait)  # the only thread, as a slow disk
        given = 0

        async def write() -> None:
            nonlocal given
            for _ in range(50):
                await writer.append(out(b"x" * 100_000))
                given += 1

        writing = asyncio.create_task(write())
        await until(lambda: given * 100_000 > 1024 * 1024 - 200_000)
        await pass_turns(1000)  # in which a writer that is not held back would give all that it has
        taken, is_held_back = given, not writing.done()
        release.set()
        await asyncio.gather(stuck, writing)

    assert is_held_back
    assert taken * 100_000 <= 1024 * 1024 + 200_000
    assert store.path(KEY).stat().st_size == 5_000_000


async def test_nobody_writes_a_log_while_an_earlier_write_is_stuck(tmp_path: Path) -> None:
    """When the disk came back, the old write landed in the middle of what the new writer had written."""
    store = LogStore(tmp_path / "logs", flush_grace=timedelta(milliseconds=10))
    release = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    stucks: list[asyncio.Future[bool]] = []

    async def fail() -> None:
        async with store.writer(KEY) as writer:
            stucks.append(loop.run_in_executor(None, release.wait))
            await writer.append(out(b"old"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    with pytest.raises(OSError, match="an earlier write of the log"):
        async with store.writer(KEY):
            pass
    assert store.is_written(KEY)
    with pytest.raises(FailedPrecondition, match="being written"):
        await store.delete(KEY)
    release.set()
    await asyncio.gather(*stucks)
    await until(lambda: not store.is_written(KEY))
    async with store.writer(KEY) as writer:
        begin = writer.cursor.stdout_bytes
        await writer.append(out(b"old and new"[begin:]))

    assert store.path(KEY).read_bytes() == b"old and new"


async def test_nobody_writes_a_log_while_an_earlier_one_is_still_being_opened(tmp_path: Path) -> None:
    """Its opening would cut off what is being written."""
    store = LogStore(tmp_path / "logs")
    release = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    stuck = loop.run_in_executor(None, release.wait)

    async def write() -> None:
        async with store.writer(KEY):
            pass

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    with pytest.raises(OSError, match="an earlier write of the log"):
        await write()
    release.set()
    await stuck
    await until(lambda: not store.is_written(KEY))
    await write()


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_at_the_close_is_told_and_holds_nobody_up(store: LogStore) -> None:
    """Whoever waited for the files to be closed once waited for ever."""

    async def write() -> None:
        async with store.writer(KEY) as writer:
            files = writer._files  # noqa: SLF001 (the disk that refuses)
            assert isinstance(files, OpenLog)
            os.close(files.log)

    with pytest.raises(OSError, match="can't be written"):
        await write()

    async with store.writer(KEY) as writer:
        await writer.append(out(b"again\n"))


@pytest.mark.parametrize("flushed", [True, False])
async def test_a_file_that_is_removed_while_it_is_written_is_told_and_written_again(
    store: LogStore, *, flushed: bool
) -> None:
    """What came after the removal, and before it, was in no file any more, and nobody was told."""

    async def write() -> None:
        async with store.writer(KEY) as writer:
            await writer.append(out(b"one\n"))
            await writer.flush()
            store.path(KEY).unlink()
            if flushed:
                await writer.append(out(b"two\n"))
                await writer.flush()

    with pytest.raises(OSError, match="its file was removed while it was written") as caught:
        await write()
    assert caught.value.errno == errno.ENOENT

    async with store.writer(KEY) as writer:
        assert writer.cursor == LogCursor()  # the engine gives all of it again
        await writer.append(out(b"one\ntwo\n"))
    assert store.path(KEY).read_bytes() == b"one\ntwo\n"


async def test_a_file_that_is_moved_away_while_it_is_written_is_told_in_the_end(store: LogStore) -> None:
    async def write() -> None:
        async with store.writer(KEY) as writer:
            await writer.append(out(b"one\n"))
            store.path(KEY).rename(store.path(KEY).with_name("old"))

    with pytest.raises(OSError, match="its file was removed"):
        await write()


async def test_a_root_that_the_disk_refuses_may_be_taken_later(tmp_path: Path) -> None:
    """It counted as unfit for ever, which failed the run."""
    (tmp_path / "disk").write_bytes(b"")
    store = LogStore(tmp_path / "disk" / "logs")

    with pytest.raises(NotADirectoryError):
        async with store.writer(KEY):
            pass

    (tmp_path / "disk").unlink()
    async with store.writer(KEY) as writer:
        await writer.append(out(b"x"))
    assert store.path(KEY).read_bytes() == b"x"
