"""Logs as replies: many lines in one buffer, which is what makes them fast, or exact chunks.

A message and a send for each line cost some 40 microseconds a line; a block of lines, encoded here and handed over at
once, one or two. Clients see ordinary messages, one a line.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Self

from gofer.api.exchange import encoded_replies, encoded_reply
from gofer.logs import LogBlock
from gofer_sdk._proto.proto import GetTaskRunLogsResponse
from gofer_sdk.codec import encode

MAX_LINE_BYTES: Final = 1024 * 1024
"""A longer line goes out in several messages of the same number."""

_LINE_TAG: Final = b"\x0a"  # field 1, log_line, a text
_NUMBER_TAG: Final = b"\x10"  # field 2, line_num, a varint
_LAST_UTF8_BYTES: Final = 3  # so many at most follow the first byte of a character
_LATER_BYTE: Final = 0b1000_0000  # how all bytes of a character but its first begin
_KEPT_LENGTHS: Final = 4096


def lines(blocks: AsyncIterator[LogBlock]) -> AsyncIterator[GetTaskRunLogsResponse]:
    """Give a log as messages of a line each, numbered from the first block's; a last one without its newline counts."""
    return _Lines(blocks)


def chunks(blocks: AsyncIterator[LogBlock]) -> AsyncIterator[GetTaskRunLogsResponse]:
    """Give a log as exact chunks, each with its offset."""
    return _Chunks(blocks)


# No generators: one that its reader leaves half-way is closed some time later, in a task of nobody.


class _Chunks:
    def __init__(self, blocks: AsyncIterator[LogBlock]) -> None:
        self._blocks = blocks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GetTaskRunLogsResponse:
        block = await anext(self._blocks)
        # One large field: encoded here sooner than it is handed to a thread.
        reply = GetTaskRunLogsResponse(chunk=block.data, offset_bytes=block.offset_bytes)
        return encoded_reply(GetTaskRunLogsResponse, encode(reply))


class _Lines:
    def __init__(self, blocks: AsyncIterator[LogBlock]) -> None:
        self._blocks = blocks
        self._encoder: LineEncoder | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GetTaskRunLogsResponse:
        while not self._ended:
            block = await anext(self._blocks, None)
            if self._encoder is None:
                self._encoder = LineEncoder(first_line=(block.first_line if block else 0) or 1)
            if block is None:
                self._ended = True
                buffer = self._encoder.finish()
            else:
                buffer = await asyncio.to_thread(self._encoder.encode, block.data)
            if buffer:
                return encoded_replies(GetTaskRunLogsResponse, buffer)
        raise StopAsyncIteration


class LineEncoder:
    """Cuts bytes into lines and writes each as a message with gRPC's prefix. For one log, in order."""

    def __init__(self, *, first_line: int = 1) -> None:
        self._number = first_line
        self._rest = b""
        self._heads: dict[int, bytes] = {}  # what stands before a line, by the line's length
        self._number_size = 1

    def encode(self, data: bytes) -> bytes:
        """Give the messages of all lines that end in `data`, and of the beginning of one that has grown too long."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += rest
            return self._beginnings()
        text = _clean(self._rest + whole)
        self._rest = rest
        if len(text) > MAX_LINE_BYTES:
            return b"".join(self._long(line) for line in _lines_of(text)) + self._beginnings()
        return self._messages(_lines_of(text))

    def finish(self) -> bytes:
        """Give the message of a last line that had no newline."""
        rest, self._rest = self._rest, b""
        return self._long(_clean(rest).removesuffix(b"\r")) if rest else b""

    def _beginnings(self) -> bytes:
        messages: list[bytes] = []
        while len(self._rest) > MAX_LINE_BYTES:
            cut = _before_character(self._rest, MAX_LINE_BYTES)
            messages.append(self._part(_clean(self._rest[:cut])))
            self._rest = self._rest[cut:]
        return b"".join(messages)

    def _long(self, line: bytes) -> bytes:
        messages: list[bytes] = []
        while len(line) > MAX_LINE_BYTES:
            cut = _before_character(line, MAX_LINE_BYTES)
            messages.append(self._part(line[:cut]))
            line = line[cut:]
        return b"".join((*messages, self._messages([line])))

    def _part(self, part: bytes) -> bytes:
        message = self._messages([part])
        self._number -= 1  # what follows is of the same line
        return message

    def _messages(self, found: list[bytes]) -> bytes:
        # The inner loop of all log reading: half a microsecond a line.
        out: list[bytes] = []
        heads, size = self._heads, self._number_size
        for number, line in enumerate(found, self._number):
            encoded = _varint(number)
            if len(encoded) != size:
                heads, size = {}, len(encoded)
            head = heads.get(len(line))
            if head is None:
                head = _head(len(line), size)
                if len(line) < _KEPT_LENGTHS:
                    heads[len(line)] = head
            out += (head, line, _NUMBER_TAG, encoded)
        self._heads, self._number_size = heads, size
        self._number += len(found)
        return b"".join(out)


def _lines_of(text: bytes) -> list[bytes]:
    found = text.split(b"\n")
    return [line.removesuffix(b"\r") for line in found] if b"\r" in text else found


def _clean(text: bytes) -> bytes:
    # Clients refuse a text that isn't UTF-8.
    return text if text.isascii() else text.decode("utf-8", "replace").encode()


def _before_character(text: bytes, cut: int) -> int:
    """Give the cut, moved back so that it splits no character."""
    for back in range(_LAST_UTF8_BYTES + 1):
        if text[cut - back] & 0b1100_0000 != _LATER_BYTE:
            return cut - back
    return cut


def _head(line_size: int, number_size: int) -> bytes:
    field = _LINE_TAG + _varint(line_size) if line_size else b""  # an empty text is left out
    return b"\0" + (len(field) + line_size + len(_NUMBER_TAG) + number_size).to_bytes(4, "big") + field


def _varint(value: int) -> bytes:
    if value < 1 << 7:
        return bytes((value,))
    if value < 1 << 14:
        return bytes((value & 127 | 128, value >> 7))
    if value < 1 << 21:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    return bytes((value & 127 | 128, value >> 7 & 127 | 128)) + _varint(value >> 14)
