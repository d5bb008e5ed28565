"""A log never holds what it must not, however the output comes, and whoever goes on with it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.masking import Masker
from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.core.secret import Secret
from gofer.logs.masked import MaskedLog

SECRET = Secret("hunter22")


class Written:
    """Takes what would be written, and counts as the log's index does."""

    def __init__(self) -> None:
        self.data = dict.fromkeys(LogStream, b"")
        self.cursor = LogCursor()

    async def append(self, chunk: LogChunk, *, raw_bytes: int | None = None) -> None:
        self.data[chunk.stream] += chunk.data
        self.cursor = self.cursor.after(chunk.stream, len(chunk.data) if raw_bytes is None else raw_bytes)


def out(data: bytes, stream: LogStream = LogStream.STDOUT) -> LogChunk:
    return LogChunk(stream=stream, data=data)


def masked(data: bytes, secrets: list[str]) -> bytes:
    masker = Masker(map(Secret, secrets))
    return masker.feed(data) + masker.finish()


async def test_what_is_kept_back_is_not_counted_until_it_is_written() -> None:
    written = Written()
    log = MaskedLog(written, [SECRET])

    await log.append(out(b"pw: hunt"))
    assert (b"pw: ", 4) == (written.data[LogStream.STDOUT], written.cursor.stdout_bytes)
    await log.append(out(b"er22 and hun"))
    assert (b"pw: *** and ", 17) == (written.data[LogStream.STDOUT], written.cursor.stdout_bytes)
    await log.finish()

    assert (b"pw: *** and hun", 20) == (written.data[LogStream.STDOUT], written.cursor.stdout_bytes)


async def test_a_stream_is_not_disturbed_by_the_other_one() -> None:
    written = Written()
    log = MaskedLog(written, [SECRET])

    for chunk in (out(b"hunt"), out(b"hunter22", LogStream.STDERR), out(b"er22")):
        await log.append(chunk)
    await log.finish()

    assert {LogStream.STDOUT: b"***", LogStream.STDERR: b"***"} == written.data


async def test_without_secrets_everything_passes_untouched() -> None:
    written = Written()
    log = MaskedLog(written, [Secret("abc"), Secret("")])

    await log.append(out(b"abc"))

    assert (b"abc", 3) == (written.data[LogStream.STDOUT], written.cursor.stdout_bytes)


texts = st.text("ab\n", max_size=30)


@pytest.mark.fuzz
@given(st.lists(st.text("ab\n", min_size=4, max_size=12), min_size=1, max_size=3), texts, st.data())
def test_whoever_goes_on_after_any_interruption_writes_the_same_log(
    secrets: list[str], text: str, data: st.DataObject
) -> None:
    """The next process begins where the log's record ends, and the engine gives it the rest of the raw output."""
    raw = text.encode()
    deaths = [data.draw(st.tuples(st.integers(0, 30), st.integers(0, 30))) for _ in range(data.draw(st.integers(0, 3)))]

    written = asyncio.run(log_of(raw, secrets, deaths))

    assert masked(raw, secrets) == written.data[LogStream.STDOUT]
    assert len(raw) == written.cursor.stdout_bytes


async def log_of(raw: bytes, secrets: list[str], deaths: list[tuple[int, int]]) -> Written:
    """Write a log with processes that die after two chunks each, and with a last one that does not."""
    written = Written()
    for first, second in deaths:
        log = MaskedLog(written, map(Secret, secrets))
        rest = raw[written.cursor.stdout_bytes :]
        await log.append(out(rest[:first]))
        await log.append(out(rest[first : first + second]))
    log = MaskedLog(written, map(Secret, secrets))
    await log.append(out(raw[written.cursor.stdout_bytes :]))
    await log.finish()
    return written
