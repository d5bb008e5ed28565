"""A crash may leave both files cut anywhere; going on from the cursor gives exactly the raw bytes."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.logs import LogStore
from gofer.logs.index import RECORD_BYTES, Place
from tests.unit.logs.keys import key_of, out

KEY = key_of()
CHUNKS = st.lists(st.builds(LogChunk, stream=st.sampled_from(LogStream), data=st.binary(max_size=12)), max_size=12)


def masked(chunk: LogChunk) -> bytes:
    """Stand for masking: what is stored is of another length than what was written."""
    return chunk.data.replace(b"a", b"***").replace(b"b", b"")


async def write(store: LogStore, chunks: list[LogChunk], *, flush: bool) -> LogCursor:
    """Write what is after the log's cursor, as an engine gives it."""
    async with store.writer(KEY) as writer:
        begin = writer.cursor
        skip = {LogStream.STDOUT: begin.stdout_bytes, LogStream.STDERR: begin.stderr_bytes}
        for chunk in chunks:
            skipped = min(skip[chunk.stream], len(chunk.data))
            skip[chunk.stream] -= skipped
            rest = LogChunk(stream=chunk.stream, data=chunk.data[skipped:])
            await writer.append(LogChunk(stream=rest.stream, data=masked(rest)), raw_bytes=len(rest.data))
            if flush:
                await writer.flush()
        return begin


async def crash_and_go_on(chunks: list[LogChunk], more: list[LogChunk], log_cut: float, index_cut: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LogStore(Path(folder) / "logs")
        async with store.writer(KEY) as writer:
            for chunk in chunks:
                await writer.append(LogChunk(stream=chunk.stream, data=masked(chunk)), raw_bytes=len(chunk.data))
                await writer.flush()
            log, index = store.path(KEY), store.path(KEY).with_name("task.index")
            kept = log.read_bytes(), index.read_bytes()
        log.write_bytes(kept[0][: round(len(kept[0]) * log_cut)])
        index.write_bytes(kept[1][: round(len(kept[1]) * index_cut)])

        begin = await write(store, chunks + more, flush=False)

        whole = [*chunks, *more]
        assert begin.stdout_bytes <= sum(len(chunk.data) for chunk in chunks if chunk.stream is LogStream.STDOUT)
        assert log.read_bytes() == b"".join(masked(chunk) for chunk in whole)


@given(chunks=CHUNKS, more=CHUNKS, log_cut=st.floats(0, 1), index_cut=st.floats(0, 1))
def test_files_that_are_cut_anywhere_lose_and_double_nothing(
    chunks: list[LogChunk], more: list[LogChunk], log_cut: float, index_cut: float
) -> None:
    asyncio.run(crash_and_go_on(chunks, more, log_cut, index_cut))


async def test_every_cut_of_the_index_gives_the_last_whole_record(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    async with store.writer(KEY) as writer:
        for number in range(4):
            await writer.append(out(b"%d" % number))
            await writer.flush()
        log, index = store.path(KEY), store.path(KEY).with_name("task.index")
        kept = index.read_bytes()

    found = []
    for size in range(len(kept) + 1):
        log.write_bytes(b"0123")
        index.write_bytes(kept[:size])
        async with store.writer(KEY) as writer:
            found.append(writer.cursor.stdout_bytes)

    assert found == [size // RECORD_BYTES for size in range(len(kept) + 1)]


async def test_zeros_that_a_power_failure_left_are_no_record(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    async with store.writer(KEY) as writer:
        await writer.append(out(b"kept"))
    index = store.path(KEY).with_name("task.index")
    index.write_bytes(index.read_bytes() + b"\0" * (3 * RECORD_BYTES + 5))

    async with store.writer(KEY) as writer:
        cursor = writer.cursor
        await writer.append(out(b" and more"))

    assert cursor == LogCursor(stdout_bytes=4)
    assert store.path(KEY).read_bytes() == b"kept and more"


async def test_a_long_index_is_searched_from_its_end(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    async with store.writer(KEY):
        pass
    records = [Place(size_bytes=number, cursor=LogCursor(stdout_bytes=number)) for number in range(3000)]
    store.path(KEY).with_name("task.index").write_bytes(b"".join(record.encode() for record in records))
    store.path(KEY).write_bytes(b"x" * 1500)

    async with store.writer(KEY) as writer:
        assert writer.cursor == LogCursor(stdout_bytes=1500)


async def test_a_log_without_its_index_begins_anew(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    async with store.writer(KEY) as writer:
        await writer.append(out(b"old"))
    store.path(KEY).with_name("task.index").unlink()

    async with store.writer(KEY) as writer:
        assert writer.cursor == LogCursor()
        await writer.append(out(b"new"))

    assert store.path(KEY).read_bytes() == b"new"
