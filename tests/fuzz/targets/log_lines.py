"""Any output cut into lines: for clients by the server, for people by the command line; and any index beside a log.

The sizes of the pieces stand before the first zero, the output behind it.
"""

import os
import re
from collections.abc import Iterator
from typing import Final

from gofer.api.log_stream import LineEncoder
from gofer.cli.endings import LogLines
from gofer.cli.neutral import LogFilter
from gofer.core.output import LogCursor
from gofer.logs.index import RECORD_BYTES, Place, recorded_bytes
from gofer_sdk._proto.proto import GetTaskRunLogsResponse
from gofer_sdk.codec import decode
from tests.fuzz.target import Target, every_cut

PREFIX_BYTES: Final = 5  # before each message, of gRPC's
HARMFUL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")


def check(data: bytes) -> None:
    """Cut the output everywhere and compare: bytes in are bytes out, and nothing plays tricks on a terminal."""
    sizes, _, output = data.partition(b"\0")
    expected = _lines_of(output)
    shown = _shown([output])
    for pieces in every_cut(output, sizes):
        assert expected == _sent(pieces), f"cut into {pieces}"
        assert shown == _shown(pieces), f"cut into {pieces}"
        _check_filter(pieces)
    _check_index(output)


def _lines_of(output: bytes) -> list[tuple[int, str]]:
    lines = output.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return list(enumerate((line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines), 1))


def _sent(pieces: list[bytes]) -> list[tuple[int, str]]:
    encoder = LineEncoder()
    buffer = b"".join(encoder.encode(piece) for piece in pieces) + encoder.finish()
    found, at = [], 0
    while at < len(buffer):
        size = int.from_bytes(buffer[at + 1 : at + PREFIX_BYTES], "big")
        at += PREFIX_BYTES + size
        message = decode(GetTaskRunLogsResponse, buffer[at - size : at])
        found.append((message.line_num, message.log_line))
    assert at == len(buffer), "a message is cut short"
    return found


def _shown(pieces: list[bytes]) -> list[str]:
    lines = LogLines()
    found = [line for piece in pieces for line in lines.cut("task", piece)] + lines.rest("task")
    assert not any(HARMFUL.search(COLOURS.sub("", line)) for line in found), found
    return found


def _check_filter(pieces: list[bytes]) -> None:
    log_filter = LogFilter()
    shown = "".join(map(log_filter.feed, pieces)) + log_filter.end()
    assert not HARMFUL.search(COLOURS.sub("", shown)), repr(shown)


def _check_index(records: bytes) -> None:
    """Read the bytes as an index, by themselves and behind a record that is whole."""
    whole = Place(size_bytes=70, cursor=LogCursor(stdout_bytes=60, stderr_bytes=10))
    for begin, at_least in ((b"", 0), (whole.encode(), 70)):
        index = os.memfd_create("index")
        try:
            os.write(index, begin + records)
            for log_bytes in (0, 70, 1 << 62):
                vouched = recorded_bytes(index, log_bytes)
                assert vouched <= log_bytes, "more is vouched for than is there"
                assert vouched >= at_least or log_bytes < at_least or len(records) >= RECORD_BYTES
        finally:
            os.close(index)


def seeds() -> Iterator[bytes]:
    """Give outputs of lines long and short, of half characters, of sequences for terminals, and records of an index."""
    yield b"\x03\0one\ntwo\r\nthree"
    yield "\x01\0ä\nöü\n\r\n€𝄞".encode()
    yield b"\x02\0\x1b[1;31mred\x1b[0m\x1b]0;title\x07\x1b[2J\x9b\x1bPq\x1b\\\n"
    yield b"\x05\0\xff\xfe\xc3\n\xe2\x82\n\xf0\x9f\x98"
    yield b"\0" + Place(size_bytes=50, cursor=LogCursor(stdout_bytes=50)).encode() + b"\x01" * RECORD_BYTES


TARGET: Final = Target(
    check=check, seeds=seeds, words=("\x1b[", "\x1b]", "\x07", "\x1b\\", "\r\n", "\u202e"), max_bytes=128
)
