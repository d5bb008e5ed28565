"""Docker's output frames, whole and noisy, cut anywhere: what was written comes out, on its stream and in its order.

The sizes of the pieces stand before the first zero. Behind it is output, of which the first byte of each eight says
where it was written to; and the same once more as what a daemon that is out of step may send.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogChunk, LogStream
from gofer.engines.scheduler.docker_frames import FrameCutter, LogDecoder
from tests.fuzz.target import Target, every_cut

Written = dict[LogStream, bytes]
HEADER: Final = struct.Struct(">BxxxI")
PART_BYTES: Final = 8
STAMP: Final = b"2026-11-22T06:04:55.%09dZ "


def check(data: bytes) -> None:
    """Frame the output, cut the frames everywhere, and compare; then read it as frames itself."""
    sizes, _, output = data.partition(b"\0")
    written: Written = dict.fromkeys(LogStream, b"")
    live, kept = b"", b""
    for number, at in enumerate(range(0, len(output), PART_BYTES)):
        part = output[at : at + PART_BYTES]
        stream = (LogStream.STDOUT, LogStream.STDERR)[part[0] % 2]
        written[stream] += part[1:] + b"\n"
        live += _framed(stream, part[1:] + b"\n")
        kept += _framed(stream, STAMP % number + part[1:] + b"\n")
    for pieces in every_cut(live, sizes):
        assert written == _read(FrameCutter().feed, pieces), f"cut into {pieces}"
    for pieces in every_cut(kept, sizes):
        assert written == _read(LogDecoder().feed, pieces), f"cut into {pieces}"
    _check_noise(output, sizes)


def _framed(stream: LogStream, payload: bytes) -> bytes:
    return HEADER.pack(1 if stream is LogStream.STDOUT else 2, len(payload)) + payload


def _read(feed: Callable[[bytes], list[LogChunk]], pieces: list[bytes]) -> Written | None:
    """Give what comes out by its stream; None for noise."""
    found: Written = dict.fromkeys(LogStream, b"")
    try:
        for piece in pieces:
            for chunk in feed(piece):
                assert chunk.data, "an empty chunk"
                found[chunk.stream] += chunk.data
    except EngineUnavailable:
        return None
    return found


def _check_noise(noise: bytes, sizes: bytes) -> None:
    for kind in (FrameCutter, LogDecoder):
        expected = _read(kind().feed, [noise])
        for pieces in every_cut(noise, sizes):
            assert expected == _read(kind().feed, pieces), f"{kind.__name__}, cut into {pieces}"


def seeds() -> Iterator[bytes]:
    """Give output for both streams, and frames of every kind."""
    yield b"\x03\0\x00hello\n\x01to stderr\x00and more of it"
    yield b"\x01\x09\0" + _framed(LogStream.STDOUT, b"abc\n") + _framed(LogStream.STDERR, b"")
    for number in (0, 1, 2, 3, 4):
        yield b"\x05\0" + HEADER.pack(number, 40) + STAMP % 1 + b"long part\n" + HEADER.pack(1, 0)
    yield b"\0" + HEADER.pack(1, 1 << 31)


TARGET: Final = Target(check=check, seeds=seeds, words=("\x01\0\0\0", "\x02\0\0\0", "\x03\0\0\0"), max_bytes=96)
