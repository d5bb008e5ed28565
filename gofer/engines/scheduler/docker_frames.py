"""Docker's output frames: cutting them, and giving back what its log driver swallowed. Pure.

Docker sends output as frames: a stream number, three zero bytes, a length of four bytes, and the payload.

The live output (`attach`) has the bytes as they were written. What the `local` log driver gives back later is not
quite that. It keeps lines as entries, and a line of 16 KiB or more as several; only an entry of its own gets its
newline back, the last part of a long line does not. All parts of one line carry the same time, though, and the last one
is shorter than the others (empty if need be), so that the lost newline can be told. One thing can't: whether the very
last line of a stream, if it was such a long one, ended with a newline or in the middle.
"""

import struct
from dataclasses import dataclass
from typing import Final

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogChunk, LogStream

_HEADER: Final = struct.Struct(">BxxxI")
_HEADER_SIZE: Final = _HEADER.size
_STDOUT: Final = 1
_STREAMS: Final = {1: LogStream.STDOUT, 2: LogStream.STDERR}
_ERROR_STREAM: Final = 3  # the daemon's own words, in place of output
_STAMP_SIZE: Final = len(b"2026-11-22T06:04:55.991680610Z ")
_MAX_ENTRY_BYTES: Final = 4 * 1024 * 1024


class FrameCutter:
    """Cuts live output into chunks, wherever its reads end. Nothing is held back but a header that is not whole."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0  # of the payload of the last frame
        self._number = _STDOUT

    def feed(self, data: bytes) -> list[LogChunk]:
        """Give the payload in arrival order, neighbours of one stream joined. Raises `EngineUnavailable` for noise."""
        data = self._head + data if self._head else data
        chunks: list[LogChunk] = []
        position = min(self._left, len(data))
        parts = [data[:position]]
        self._left -= position
        while len(data) - position >= _HEADER_SIZE:  # a talkative task writes a frame for each line
            number, size_bytes = _HEADER.unpack_from(data, position)
            if number != self._number:
                _join(chunks, _stream_of(self._number), parts)
                _stream_of(number)
                self._number = number
            begin = position + _HEADER_SIZE
            position = begin + size_bytes
            parts.append(data[begin:position])
        self._left += max(0, position - len(data))
        self._head = data[position:]
        _join(chunks, _stream_of(self._number), parts)
        return chunks


@dataclass(slots=True)
class _Line:
    """The line that a stream is in the middle of: when it began, and how long its parts are."""

    stamp: bytes
    first_bytes: int
    last_bytes: int

    @property
    def was_ended(self) -> bool:
        """Whether its last part is one, so that a newline (or the end of the stream) came after it."""
        return self.last_bytes < self.first_bytes


class LogDecoder:
    """Reads the engine's own log, fetched from its beginning with times, and gives the bytes that were written.

    Attributes:
        failure: the daemon's words where it says that it can't read its log any further; nothing follows then, and
            asking again would not help.

    """

    def __init__(self) -> None:
        self.failure = ""
        self._rest = b""
        self._lines: dict[LogStream, _Line] = {}

    def feed(self, data: bytes) -> list[LogChunk]:
        """Give the output in the order of the log, neighbours of one stream joined.

        Raises `EngineUnavailable` for noise.
        """
        data = self._rest + data
        chunks: list[LogChunk] = []
        parts: list[bytes] = []
        current = LogStream.STDOUT
        position, end = 0, len(data)
        while end - position >= _HEADER_SIZE and not self.failure:
            number, size = _HEADER.unpack_from(data, position)
            start, stop = position + _HEADER_SIZE, position + _HEADER_SIZE + size
            if size > _MAX_ENTRY_BYTES:
                raise EngineUnavailable(f"Docker sent a log entry of {size} bytes, more than it makes")
            if stop > end:
                break
            if number == _ERROR_STREAM:
                self.failure = data[start:stop].decode(errors="replace").strip() or "no reason given"
                break
            stream = _stream_of(number)
            if stream is not current:
                _join(chunks, current, parts)
                current = stream
            self._entry(stream, data[start : min(start + _STAMP_SIZE, stop)], data[start + _STAMP_SIZE : stop], parts)
            position = stop
        self._rest = data[position:]
        _join(chunks, current, parts)
        return chunks

    def uncertain(self) -> frozenset[LogStream]:
        """Give the streams whose last line may have had a newline that the log does not tell of."""
        return frozenset(stream for stream, line in self._lines.items() if line.was_ended)

    def _entry(self, stream: LogStream, stamp: bytes, payload: bytes, parts: list[bytes]) -> None:
        line = self._lines.get(stream)
        if line is not None and line.stamp != stamp:
            parts.append(b"\n")
            line = None
        parts.append(payload)
        if payload.endswith(b"\n"):
            self._lines.pop(stream, None)
        elif line is None:
            self._lines[stream] = _Line(stamp, len(payload), len(payload))
        else:
            line.last_bytes = len(payload)


def _stream_of(number: int) -> LogStream:
    stream = _STREAMS.get(number)
    if stream is None:
        raise EngineUnavailable(f"Docker sent output of an unknown stream ({number}): the connection is out of step")
    return stream


def _join(chunks: list[LogChunk], stream: LogStream, parts: list[bytes]) -> None:
    """Move the parts to the chunks, as one."""
    if parts:
        data = b"".join(parts)
        parts.clear()
        if data:
            chunks.append(LogChunk(stream=stream, data=data))
