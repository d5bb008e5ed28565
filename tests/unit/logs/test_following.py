import asyncio
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.logs import LogBlock, LogFollower, LogStore
from tests.fakes.waiting import pass_turns, until
from tests.unit.logs.keys import key_of, out

KEY = key_of()


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    return LogStore(tmp_path / "logs")


async def filled(store: LogStore, data: bytes) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(data))


async def history(store: LogStore, offset_bytes: int = 0) -> bytes:
    with store.following(KEY) as follower:
        follower.end()
        return await rest_of(follower, offset_bytes)


async def rest_of(follower: LogFollower, offset_bytes: int = 0) -> bytes:
    async with aclosing(follower.blocks(offset_bytes=offset_bytes)) as blocks:
        return b"".join([block.data async for block in blocks])


async def test_history_is_given_from_an_offset(store: LogStore) -> None:
    await filled(store, b"0123456789")

    assert [await history(store, offset) for offset in (0, 4, 10, 99)] == [b"0123456789", b"456789", b"", b""]


async def test_blocks_tell_where_they_begin_and_are_bounded(store: LogStore) -> None:
    data = random.Random(1).randbytes(200_000)
    await filled(store, data)

    with store.following(KEY) as follower:
        follower.end()
        blocks = [block async for block in follower.blocks(offset_bytes=5)]

    assert all(len(block.data) <= 65_536 for block in blocks)
    assert [block.offset_bytes for block in blocks] == [5, 65_541, 131_077, 196_613]
    assert b"".join(block.data for block in blocks) == data[5:]


async def test_a_follower_gets_history_and_then_what_comes(store: LogStore) -> None:
    await filled(store, b"before ")

    with store.following(KEY) as follower:
        async with aclosing(follower.blocks()) as blocks:
            read = [(await anext(blocks)).data]
            async with store.writer(KEY) as writer:
                await writer.append(out(b"live "))
                read.append((await anext(blocks)).data)
                await writer.append(out(b"last"))
            store.end(KEY)
            read += [block.data async for block in blocks]

    assert b"".join(read) == b"before live last"


async def test_a_follower_may_come_before_the_log(store: LogStore) -> None:
    with store.following(KEY) as follower:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(rest_of(follower))
            await asyncio.sleep(0)
            await filled(store, b"late")
            store.end(KEY)

    assert reading.result() == b"late"


async def test_a_log_that_never_was_ends_at_once_when_its_task_run_has_ended(store: LogStore) -> None:
    assert await history(store) == b""


async def test_an_end_is_told_to_whoever_registered_before_it(store: LogStore) -> None:
    with store.following(KEY) as follower:
        store.end(KEY)

        assert await rest_of(follower) == b""


async def test_many_followers_read_at_their_own_pace(store: LogStore) -> None:
    lines = [b"line %d\n" % number for number in range(3000)]

    async with asyncio.TaskGroup() as group:
        with store.following(KEY) as one, store.following(KEY) as other, store.following(KEY) as slow:
            readers = [
                group.create_task(read_slowly(each, pause)) for each, pause in ((one, 0), (other, 3), (slow, 50))
            ]
            await write_slowly(store, lines)
            store.end(KEY)
            await asyncio.wait(readers)

    assert [reader.result() == b"".join(lines) for reader in readers] == [True, True, True]


async def read_slowly(follower: LogFollower, pause: int) -> bytes:
    parts = []
    async with aclosing(follower.blocks()) as blocks:
        async for block in blocks:
            parts.append(block.data)
            await pass_turns(pause)
    return b"".join(parts)


async def write_slowly(store: LogStore, lines: list[bytes]) -> None:
    async with store.writer(KEY) as writer:
        for line in lines:
            await writer.append(out(line))
            await pass_turns(1)


async def test_a_reader_that_stands_still_holds_the_writer_up_for_nothing(store: LogStore) -> None:
    with store.following(KEY) as follower:
        async with aclosing(follower.blocks()) as blocks:
            await filled(store, b"x" * 3_000_000)

            first = await anext(blocks)

    assert first == LogBlock(offset_bytes=0, data=b"x" * 65_536)


async def test_only_what_is_settled_is_shown_of_a_log_that_is_written(store: LogStore) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"settled"))
        await writer.flush()
        with store.path(KEY).open("ab") as file:
            file.write(b" of nobody's record")

        assert await history(store) == b"settled"


async def test_deleting_ends_the_followers(store: LogStore) -> None:
    await filled(store, b"x")

    with store.following(KEY) as follower:
        async with aclosing(follower.blocks()) as blocks:
            await anext(blocks)
            existed = await store.delete(KEY)
            with pytest.raises(NotFound, match="the logs of default/pipe/1/task are gone"):
                await anext(blocks)

    assert existed
    assert await history(store) == b""


async def test_deleting_leaves_nothing_and_can_be_repeated(store: LogStore, tmp_path: Path) -> None:
    await filled(store, b"x")

    assert [await store.delete(KEY), await store.delete(KEY)] == [True, False]
    assert list((tmp_path / "logs").iterdir()) == []


async def test_deleting_spares_the_neighbours(store: LogStore) -> None:
    await filled(store, b"x")
    async with store.writer(key_of("other")) as writer:
        await writer.append(out(b"kept"))

    await store.delete(KEY)

    assert store.path(key_of("other")).read_bytes() == b"kept"


async def test_what_is_being_written_is_not_deleted(store: LogStore) -> None:
    async with store.writer(KEY):
        with pytest.raises(FailedPrecondition, match="being written"):
            await store.delete(KEY)


async def test_a_reader_that_leaves_half_way_closes_its_file(store: LogStore) -> None:
    await filled(store, b"x" * 200_000)
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        with store.following(KEY) as follower:
            async with aclosing(follower.blocks()) as blocks:
                await anext(blocks)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 9])
async def test_a_reader_can_be_cancelled_at_any_moment(store: LogStore, turns: int) -> None:
    await filled(store, b"x" * 1_000_000)
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def read() -> None:
        with store.following(KEY) as follower:
            await rest_of(follower)

    reading = asyncio.create_task(read())
    for _ in range(turns):
        await asyncio.sleep(0.0003)
    reading.cancel()
    await asyncio.wait({reading})
    await history(store)

    assert reading.cancelled()
    await until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)  # a thread may be about to close its own


@pytest.mark.parametrize(
    ("data", "lines", "tail"),
    [
        (b"", 3, b""),
        (b"a\nb\nc\n", 0, b""),
        (b"a\nb\nc\n", 1, b"c\n"),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc\n", 3, b"a\nb\nc\n"),
        (b"a\nb\nc\n", 9, b"a\nb\nc\n"),
        (b"a\nb\nc", 1, b"c"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"\n\n\n", 2, b"\n\n"),
        (b"x" * 200_000 + b"\nend\n", 1, b"end\n"),
        (b"first\n" + b"x" * 200_000, 1, b"x" * 200_000),
    ],
)
async def test_the_last_lines_are_found_from_the_end(store: LogStore, data: bytes, lines: int, tail: bytes) -> None:
    await filled(store, data)

    with store.following(KEY) as follower:
        follower.end()
        offset = await follower.offset_of_last_lines(lines)

        assert await rest_of(follower, offset) == tail


async def test_the_last_lines_equal_those_of_a_plain_reader(store: LogStore) -> None:
    chance = random.Random(5)
    data = b"".join(b"y" * chance.randrange(300) + b"\n" for _ in range(2000))
    await filled(store, data)

    with store.following(KEY) as follower:
        for lines in (1, 7, 400, 1000, 1999, 2000, 2001):
            offset = await follower.offset_of_last_lines(lines)

            assert data[offset:] == b"".join(data.splitlines(keepends=True)[-lines:])


async def test_lines_are_numbered_from_1(store: LogStore) -> None:
    await filled(store, b"one\ntwo\nthree")

    with store.following(KEY) as follower:
        assert [await follower.line_number(offset) for offset in (0, 3, 4, 8, 99)] == [1, 1, 2, 3, 3]


async def test_the_last_lines_of_no_log_begin_at_0(store: LogStore) -> None:
    with store.following(KEY) as follower:
        assert (await follower.offset_of_last_lines(5), await follower.line_number(7)) == (0, 1)


async def test_a_reader_whose_file_was_removed_is_told_so_in_the_end(store: LogStore) -> None:
    """What was written since is in another file: a plain end would have been a lie."""
    async with store.writer(KEY) as writer:
        await writer.append(out(b"one\n"))
    with store.following(KEY) as follower:
        async with aclosing(follower.blocks()) as blocks:
            assert (await anext(blocks)).data == b"one\n"
            store.path(KEY).unlink()
            follower.end()
            with pytest.raises(NotFound, match="were deleted"):
                await anext(blocks)


async def test_a_log_that_should_be_there_is_asked_for_by_name(store: LogStore) -> None:
    async with store.writer(KEY):
        pass
    with store.following(KEY) as follower:
        await follower.check_exists()
        store.path(KEY).unlink()
        with pytest.raises(NotFound, match="the logs of default/pipe/1/task are gone"):
            await follower.check_exists()


async def test_what_a_crash_left_behind_the_last_record_is_not_shown_until_the_task_run_has_ended(
    store: LogStore,
) -> None:
    """Who goes on with the log cuts it off, and other bytes come in its place."""
    await filled(store, b"whole ")
    path = store.path(KEY)
    path.write_bytes(b"whole torn")

    with store.following(KEY) as follower:
        assert await follower.offset_of_last_lines(1) == 0
        async with aclosing(follower.blocks()) as blocks:
            first = (await anext(blocks)).data
            second = asyncio.create_task(anext(blocks))
            async with store.writer(KEY) as writer:
                await writer.append(out(b"new"))
            then = (await second).data

    assert (first, then) == (b"whole ", b"new")


async def test_what_is_read_without_waiting_for_more_ends_at_the_last_record_too(store: LogStore) -> None:
    await filled(store, b"whole ")
    store.path(KEY).write_bytes(b"whole torn")

    with store.following(KEY) as follower:
        follower.leave_off()
        assert await rest_of(follower) == b"whole "
    assert await history(store) == b"whole torn"


async def test_a_log_without_its_index_is_shown_whole(store: LogStore) -> None:
    await filled(store, b"whole")
    store.path(KEY).with_name(f"{KEY.task}.index").unlink()

    with store.following(KEY) as follower:
        follower.leave_off()
        assert await rest_of(follower) == b"whole"
