"""Output frames: cut anywhere, nothing lost; and the newlines that Docker's log driver swallows."""

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogChunk, LogStream
from gofer.engines.scheduler.docker_frames import FrameCutter, LogDecoder

NUMBERS = {LogStream.STDOUT: 1, LogStream.STDERR: 2}
PART = 16 * 1024

Written = tuple[LogStream, bytes]


def frame(number: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxI", number, len(payload)) + payload


def entry(stream: LogStream, stamp: int, payload: bytes) -> bytes:
    return frame(NUMBERS[stream], b"2026-11-22T06:04:55.%09dZ " % stamp + payload)


def by_stream(chunks: Iterable[LogChunk]) -> dict[LogStream, bytes]:
    found = {LogStream.STDOUT: b"", LogStream.STDERR: b""}
    for chunk in chunks:
        found[chunk.stream] += chunk.data
    return found


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)]


def joined(chunks: Iterable[LogChunk]) -> list[Written]:
    """Join neighbours of one stream, so that only the order counts."""
    found: list[Written] = []
    for chunk in chunks:
        if found and found[-1][0] is chunk.stream:
            found[-1] = (chunk.stream, found[-1][1] + chunk.data)
        else:
            found.append((chunk.stream, chunk.data))
    return found


WRITTEN = st.lists(st.tuples(st.sampled_from(LogStream), st.binary(max_size=40)), max_size=12)


@given(written=WRITTEN, cuts=st.lists(st.integers(0, 1000), max_size=20))
def test_frames_cut_anywhere_give_the_bytes_in_their_order(written: list[Written], cuts: list[int]) -> None:
    data = b"".join(frame(NUMBERS[stream], payload) for stream, payload in written)
    cutter = FrameCutter()

    chunks = [chunk for piece in pieces(data, cuts) for chunk in cutter.feed(piece)]

    expected = [LogChunk(stream=stream, data=payload) for stream, payload in written if payload]
    assert joined(chunks) == joined(expected)
    assert all(chunk.data for chunk in chunks)


def test_neighbours_of_one_stream_come_as_one_chunk() -> None:
    data = frame(1, b"a") + frame(1, b"b") + frame(2, b"c") + frame(1, b"d")

    assert [(each.stream, each.data) for each in FrameCutter().feed(data)] == [
        (LogStream.STDOUT, b"ab"),
        (LogStream.STDERR, b"c"),
        (LogStream.STDOUT, b"d"),
    ]


def test_the_payload_of_a_frame_does_not_wait_for_its_end() -> None:
    cutter = FrameCutter()

    first = cutter.feed(frame(1, b"x" * 1000)[:508])

    assert by_stream(first)[LogStream.STDOUT] == b"x" * 500


@pytest.mark.parametrize("number", [0, 3, 72])
def test_a_stream_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(EngineUnavailable, match="unknown stream"):
        FrameCutter().feed(frame(number, b"x"))


# ---------------------------------------------------------------- the daemon's log


def driver(streams: dict[LogStream, bytes], *, part: int = PART) -> bytes:
    """Give what Docker's `local` driver gives back of what was written: the newlines of long lines are lost."""
    stamp = 0
    entries = []
    for stream, written in streams.items():
        lines = written.split(b"\n")
        for number, line in enumerate(lines):
            stamp += 1
            last = number == len(lines) - 1
            parts = [line[start : start + part] for start in range(0, len(line), part)] or [b""]
            if not last and len(parts[-1]) == part:
                parts.append(b"")
            if last and parts == [b""]:
                continue
            is_long = len(parts) > 1
            entries += [(stream, stamp, each) for each in parts[:-1]]
            entries.append((stream, stamp, parts[-1] if is_long or last else parts[-1] + b"\n"))
    return b"".join(entry(*each) for each in entries)


def read_back(data: bytes, cuts: list[int]) -> tuple[dict[LogStream, bytes], frozenset[LogStream]]:
    decoder = LogDecoder()
    found = by_stream(chunk for piece in pieces(data, cuts) for chunk in decoder.feed(piece))
    return found, decoder.uncertain()


TEXT = st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\xff\x00", b"c" * 8, b"d" * 16, b"e" * 15]), max_size=12)


@given(out=TEXT.map(b"".join), err=TEXT.map(b"".join), cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_the_log_gives_back_what_was_written_but_for_one_newline_that_it_says_it_does_not_know(
    out: bytes, err: bytes, cuts: list[int]
) -> None:
    written = {LogStream.STDOUT: out, LogStream.STDERR: err}

    found, uncertain = read_back(driver(written, part=8), cuts)

    for stream in LogStream:
        possible = {found[stream], found[stream] + b"\n"} if stream in uncertain else {found[stream]}
        assert written[stream] in possible


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 7])
def test_a_long_line_in_the_middle_keeps_its_newline(size: int) -> None:
    written = b"x" * size + b"\n" + b"y" * size + b"\nend\n"

    found, uncertain = read_back(driver({LogStream.STDOUT: written}), [])

    assert found[LogStream.STDOUT] == written
    assert uncertain == frozenset()


def test_only_the_end_of_a_long_last_line_is_uncertain() -> None:
    long = b"x" * (PART + 10)

    ended, ended_uncertain = read_back(driver({LogStream.STDOUT: long + b"\n"}), [])
    cut, cut_uncertain = read_back(driver({LogStream.STDOUT: long}), [])

    assert ended[LogStream.STDOUT] == cut[LogStream.STDOUT] == long
    assert ended_uncertain == cut_uncertain == {LogStream.STDOUT}


@pytest.mark.parametrize("written", [b"short, no newline", b"x" * PART, b"a\nb"])
def test_an_end_without_a_newline_is_certain_where_the_log_tells(written: bytes) -> None:
    found, uncertain = read_back(driver({LogStream.STDOUT: written}), [])

    assert found[LogStream.STDOUT] == written
    assert uncertain == frozenset()


def test_a_driver_that_keeps_the_newline_gets_none_from_us() -> None:
    data = (
        entry(LogStream.STDOUT, 1, b"x" * PART)
        + entry(LogStream.STDOUT, 1, b"y\n")
        + entry(LogStream.STDOUT, 2, b"z\n")
    )

    found, uncertain = read_back(data, [])

    assert found[LogStream.STDOUT] == b"x" * PART + b"y\nz\n"
    assert uncertain == frozenset()


def test_the_daemons_own_words_are_no_output() -> None:
    data = entry(LogStream.STDOUT, 1, b"a\n") + frame(3, b"Error grabbing logs: unexpected EOF\n")

    decoder = LogDecoder()
    read = by_stream(decoder.feed(data + entry(LogStream.STDOUT, 2, b"b\n")))

    assert read[LogStream.STDOUT] == b"a\n"
    assert decoder.failure == "Error grabbing logs: unexpected EOF"


def test_an_entry_of_an_impossible_size_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(EngineUnavailable, match="more than it makes"):
        LogDecoder().feed(struct.pack(">BxxxI", 1, 2**31))
