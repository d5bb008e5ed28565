import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gofer.api.kept import MOST_BYTES_OF_ONE, KeptReplies
from gofer.core.errors import NotFound


class Stored:
    """What is stored, and how often that has changed; counts how often it is read."""

    def __init__(self) -> None:
        self.changes = 0
        self.reads = 0

    def reading(self, found: bytes) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            self.reads += 1
            return found

        return read


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def kept(stored: Stored) -> KeptReplies:
    return KeptReplies(changes=lambda: stored.changes, limit_bytes=10_000)


async def test_the_same_question_is_answered_once_while_nothing_changes(stored: Stored, kept: KeptReplies) -> None:
    replies = [await kept.of(("runs",), stored.reading(b"one")) for _ in range(3)]

    assert [b"one"] * 3 == replies
    assert 1 == stored.reads


async def test_another_question_has_an_answer_of_its_own(stored: Stored, kept: KeptReplies) -> None:
    await kept.of(("runs", "mine"), stored.reading(b"mine"))

    assert b"yours" == await kept.of(("runs", "yours"), stored.reading(b"yours"))


async def test_after_a_change_everything_is_read_again(stored: Stored, kept: KeptReplies) -> None:
    await kept.of(("runs",), stored.reading(b"old"))

    stored.changes += 1

    assert b"new" == await kept.of(("runs",), stored.reading(b"new"))
    assert b"new" == await kept.of(("runs",), stored.reading(b"never asked"))


async def test_what_was_read_while_something_changed_is_given_but_not_kept(stored: Stored, kept: KeptReplies) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> bytes:
        reading.set()
        await go_on.wait()
        return b"old"

    asking = asyncio.create_task(kept.of(("runs",), slow))
    await reading.wait()
    stored.changes += 1
    go_on.set()

    assert b"old" == await asking
    assert b"new" == await kept.of(("runs",), stored.reading(b"new"))


async def test_a_refusal_is_not_kept(stored: Stored, kept: KeptReplies) -> None:
    async def refuse() -> bytes:
        raise NotFound("there is none")

    with pytest.raises(NotFound):
        await kept.of(("runs",), refuse)

    assert b"one" == await kept.of(("runs",), stored.reading(b"one"))


async def test_what_is_kept_is_bounded(stored: Stored, kept: KeptReplies) -> None:
    for number in range(100):
        await kept.of((number,), stored.reading(b"x" * 1000))
        assert kept.size_bytes <= 10_000

    large = KeptReplies(changes=lambda: stored.changes)
    await large.of(("runs",), stored.reading(b"x" * (MOST_BYTES_OF_ONE + 1)))
    assert 0 == large.size_bytes


async def test_a_long_question_counts_too(stored: Stored, kept: KeptReplies) -> None:
    """An answer of no bytes was kept with a question of sixty million."""
    for number in range(100):
        await kept.of(("runs", "x" * 1000, number), stored.reading(b""))
        assert kept.size_bytes <= 10_000
    counted = kept.size_bytes

    large = KeptReplies(changes=lambda: stored.changes)
    await large.of(("runs", "x" * (MOST_BYTES_OF_ONE + 1)), stored.reading(b""))

    assert counted > 1000
    assert 0 == large.size_bytes
