import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.api.exchange import EncodedMessages
from gofer.api.log_stream import MAX_LINE_BYTES, LineEncoder, chunks, lines
from gofer.logs import LogBlock
from gofer_sdk._proto.proto import GetTaskRunLogsResponse
from gofer_sdk.codec import Raw, decode, encode


def messages_in(buffer: bytes) -> list[GetTaskRunLogsResponse]:
    found: list[GetTaskRunLogsResponse] = []
    while buffer:
        size = int.from_bytes(buffer[1:5], "big")
        assert buffer[0] == 0
        found.append(decode(GetTaskRunLogsResponse, buffer[5 : 5 + size]))
        buffer = buffer[5 + size :]
    return found


def encoded(parts: Iterable[bytes]) -> list[tuple[int, str]]:
    encoder = LineEncoder()
    buffer = b"".join(encoder.encode(part) for part in parts) + encoder.finish()
    return [(message.line_num, message.log_line) for message in messages_in(buffer)]


@pytest.mark.fuzz
@given(st.binary(max_size=300), st.lists(st.integers(min_value=0, max_value=300), max_size=6))
def test_lines_are_the_same_wherever_the_blocks_were_cut(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    parts = [data[start:end] for start, end in pairwise(places)]
    whole = data.split(b"\n")
    if not whole[-1]:
        whole.pop()

    expected = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole]

    assert list(enumerate(expected, 1)) == encoded(parts)


def test_the_bytes_are_those_of_the_codec() -> None:
    encoder = LineEncoder()
    rng = random.Random(3)
    texts = ["", "x" * 127, "x" * 128, "é" * 3000, *("y" * rng.randrange(300) for _ in range(20_000))]

    buffer = encoder.encode("".join(f"{text}\n" for text in texts).encode())

    expected: list[bytes] = []
    for number, text in enumerate(texts, 1):
        message = encode(GetTaskRunLogsResponse(log_line=text, line_num=number))
        expected.append(b"\0" + len(message).to_bytes(4, "big") + message)
    assert b"".join(expected) == buffer


@pytest.mark.parametrize("number", [127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 300_000_000, 2**40])
def test_numbers_of_any_size_are_written_right(number: int) -> None:
    encoder = LineEncoder()
    encoder._number = number  # noqa: SLF001 - counting up to it takes too long

    assert [each.line_num for each in messages_in(encoder.encode(b"a\nb\n"))] == [number, number + 1]


@pytest.mark.parametrize("block", [1000, 64 * 1024, 10_000_000])
def test_an_endless_line_goes_out_in_pieces_of_the_same_number_that_split_no_character(block: int) -> None:
    line = "é" * (MAX_LINE_BYTES + 100)
    data = f"first\n{line}\nlast".encode()

    found = encoded(data[start : start + block] for start in range(0, len(data), block))

    assert found[0] == (1, "first")
    assert found[-1] == (3, "last")
    pieces = found[1:-1]
    assert {number for number, _ in pieces} == {2}
    assert line == "".join(piece for _, piece in pieces)
    assert max(len(piece.encode()) for _, piece in pieces) <= MAX_LINE_BYTES
    assert len(pieces) == 3


def test_a_line_of_exactly_the_limit_is_one_message() -> None:
    assert len(encoded([b"x" * MAX_LINE_BYTES + b"\nb\n"])) == 2
    assert len(encoded([b"x" * MAX_LINE_BYTES])) == 1


async def blocks(*parts: bytes) -> AsyncGenerator[LogBlock, None]:
    offset = 0
    for part in parts:
        yield LogBlock(offset_bytes=offset, data=part)
        offset += len(part)


async def test_lines_come_as_buffers_of_many_and_end_with_the_log() -> None:
    replies = [reply async for reply in lines(blocks(b"a\nb", b"c\n", b"d"))]

    assert all(isinstance(reply, EncodedMessages) for reply in replies)
    assert [each.log_line for reply in replies for each in messages_in(bytes(reply))] == ["a", "bc", "d"]


async def test_a_block_without_the_end_of_a_line_sends_nothing_yet() -> None:
    assert [reply async for reply in lines(blocks(b"", b""))] == []


async def test_chunks_are_exact() -> None:
    replies = [reply async for reply in chunks(blocks(b"\xff\x00a\r\n", b"b"))]

    assert all(isinstance(reply, Raw) for reply in replies)
    found = [decode(GetTaskRunLogsResponse, bytes(reply)) for reply in replies]
    assert [(each.offset_bytes, each.chunk) for each in found] == [(0, b"\xff\x00a\r\n"), (5, b"b")]


@pytest.mark.parametrize("read", [lines, chunks])
async def test_leaving_a_reader_half_way_leaves_no_task(
    read: Callable[[AsyncIterator[LogBlock]], AsyncIterator[GetTaskRunLogsResponse]],
) -> None:
    async with aclosing(blocks(b"a\n", b"b\n")) as log:
        async for _ in read(log):
            break

    assert asyncio.all_tasks() == {asyncio.current_task()}
