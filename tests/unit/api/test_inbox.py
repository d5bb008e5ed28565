import asyncio
import sys

import pytest

from gofer.api.inbox import CutShort, Inbox


class Acknowledged:
    """Counts what the other side was told that it may send."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def __call__(self, size_bytes: int) -> None:
        assert size_bytes > 0
        self.size_bytes += size_bytes


@pytest.fixture
def told() -> Acknowledged:
    return Acknowledged()


@pytest.fixture
def inbox(told: Acknowledged) -> Inbox:
    return Inbox(told)


async def test_bytes_are_read_as_they_were_sent_however_they_were_cut(inbox: Inbox) -> None:
    for frame in (b"ab", b"", b"c", b"defgh"):
        inbox.add(frame, len(frame))
    inbox.eof()

    assert [b"abc", b"def", b"gh", b"", b""] == [await inbox.read(size) for size in (3, 3, 2, 5, 5)]


async def test_a_reader_waits_for_all_that_it_wants(inbox: Inbox) -> None:
    reading = asyncio.create_task(inbox.read(3))
    for frame in (b"a", b"", b"b"):
        await asyncio.sleep(0)
        inbox.add(frame, len(frame))
    await asyncio.sleep(0)
    early = reading.done()
    inbox.add(b"cd", 2)

    assert not early
    assert b"abc" == await reading
    assert b"d" == await inbox.read(1)


@pytest.mark.parametrize("late", [True, False])
async def test_an_end_in_the_middle_is_told(inbox: Inbox, *, late: bool) -> None:
    inbox.add(b"ab", 2)
    if late:
        reading = asyncio.create_task(inbox.read(3))
        await asyncio.sleep(0)
        inbox.eof()
    else:
        inbox.eof()
        reading = asyncio.create_task(inbox.read(3))

    with pytest.raises(CutShort):
        await reading


async def test_more_may_be_sent_only_as_it_is_read(inbox: Inbox, told: Acknowledged) -> None:
    inbox.add(b"abcd", 4)
    inbox.add(b"efgh", 4)
    before = told.size_bytes
    await inbox.read(3)
    after = told.size_bytes
    await inbox.read(5)

    assert [0, 3, 8] == [before, after, told.size_bytes]
    assert 0 == inbox.unacked_size()


async def test_what_a_waiting_reader_has_taken_in_may_be_followed_by_more(inbox: Inbox, told: Acknowledged) -> None:
    """Else many readers who wait for a little more each would fill the connection's window, and wait for ever."""
    inbox.add(b"ab", 2)
    reading = asyncio.create_task(inbox.read(4))
    await asyncio.sleep(0)
    assert 2 == told.size_bytes

    inbox.add(b"cdef", 4)
    await reading

    assert 4 == told.size_bytes
    assert 2 == inbox.unacked_size()


async def test_padding_counts_for_the_one_who_sends_it(inbox: Inbox, told: Acknowledged) -> None:
    inbox.add(b"a", 100)
    inbox.add(b"", 50)

    assert 150 == inbox.unacked_size()
    assert b"a" == await inbox.read(1)
    assert 150 == told.size_bytes


async def test_what_nobody_reads_is_dropped(inbox: Inbox, told: Acknowledged) -> None:
    inbox.add(b"abc", 3)
    inbox.close()
    inbox.add(b"x" * 100_000, 100_000)

    assert 100_003 == told.size_bytes
    assert 0 == inbox.unacked_size()
    inbox.eof()
    assert b"" == await inbox.read(1)


def test_small_frames_take_no_more_memory_than_their_bytes(inbox: Inbox) -> None:
    for _ in range(10_000):
        inbox.add(b"x", 1)
        inbox.add(b"", 0)

    assert sys.getsizeof(inbox._data) < 20_000  # noqa: SLF001 - nobody tells it
