"""The two files of a log: the bytes, and beside them an index that tells how far both streams are in them.

The index is appended to after every write of the log: records of three unsigned 64-bit big-endian numbers, the size of
the log, and the raw bytes of stdout and of stderr that are in it. What stands in the log behind the last whole record
was being written when the process died; it is cut off, and the engine is asked for the streams from the record's
numbers on. So no byte is lost or doubled, also where what is stored is not what was written (masking).

Everything here blocks; call it in a thread.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gofer.core.output import LogCursor

_RECORD: Final = struct.Struct(">QQQ")
_SCAN_BYTES: Final = 64 * 1024
_WRITE_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A whole record: the log's size, and the raw bytes of each stream in it."""

    size_bytes: int = 0
    cursor: LogCursor = field(default_factory=LogCursor)


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The descriptors of a log that is being written, and where it stood when it was opened."""

    log: int
    index: int
    place: Place

    def append(self, parts: Sequence[bytes], place: Place) -> None:
        """Write the bytes, then the record that makes them count. Raises `OSError`."""
        _write_all(self.log, b"".join(parts))
        cursor = place.cursor
        _write_all(self.index, _RECORD.pack(place.size_bytes, cursor.stdout_bytes, cursor.stderr_bytes))

    def sync(self) -> None:
        """Have the bytes on the disk. Raises `OSError`."""
        os.fdatasync(self.log)

    def close(self) -> None:
        """Close both files."""
        os.close(self.log)
        os.close(self.index)


def index_path(path: Path) -> Path:
    """Name the index of a log; ids hold no dot, so that no log has this name."""
    return path.with_name(f"{path.name}.index")


def open_for_writing(path: Path) -> OpenLog:
    """Open a log and its index, made if need be, and cut off what was written behind the last whole record."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(path, _WRITE_FLAGS, 0o600)
    try:
        index = os.open(index_path(path), _WRITE_FLAGS, 0o600)
        try:
            place = _last_place(index, os.fstat(log).st_size, cut=True)
            os.ftruncate(log, place.size_bytes)
            os.lseek(log, 0, os.SEEK_END)
            os.lseek(index, 0, os.SEEK_END)
        except BaseException:
            os.close(index)
            raise
    except BaseException:
        os.close(log)
        raise
    return OpenLog(log, index, place)


def settled_size(path: Path) -> int | None:
    """Give how many bytes of a log count; None where there is no log."""
    try:
        size = path.stat().st_size
        index = os.open(index_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _last_place(index, size, cut=False).size_bytes
    finally:
        os.close(index)


def offset_of_last_lines(path: Path, size_bytes: int, lines: int) -> int:
    """Give the offset at which the last `lines` lines of the first `size_bytes` bytes begin."""
    with path.open("rb") as file:
        end = size_bytes
        wanted = lines
        if end and os.pread(file.fileno(), 1, end - 1) == b"\n":
            end -= 1  # the newline that ends the last line separates nothing
        while end > 0:
            begin = max(0, end - _SCAN_BYTES)
            block = os.pread(file.fileno(), end - begin, begin)
            found = block.count(b"\n")
            if found >= wanted:
                return begin + _after_last(block, wanted)
            wanted -= found
            end = begin
    return 0


def _after_last(block: bytes, count: int) -> int:
    """Give the offset behind the newline that is `count`-th from the end."""
    at = len(block)
    for _ in range(count):
        at = block.rindex(b"\n", 0, at)
    return at + 1


def _last_place(index: int, log_size: int, *, cut: bool) -> Place:
    """Find the last whole record that the log reaches; a power failure may have kept more of the index than of it."""
    records = os.fstat(index).st_size // _RECORD.size
    place = Place()
    while records:
        size, stdout, stderr = _RECORD.unpack(os.pread(index, _RECORD.size, (records - 1) * _RECORD.size))
        if size <= log_size:
            place = Place(size_bytes=size, cursor=LogCursor(stdout_bytes=stdout, stderr_bytes=stderr))
            break
        records -= 1
    if cut:
        os.ftruncate(index, records * _RECORD.size)
    return place


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
