"""The index beside a log: after each write, how long the log is and how much raw output that stands for.

What is in a log differs from what the engine gave: secret values are masked, and two streams are one. So after a crash
the log is cut to the last whole record of the index, and the engine's streams go on from that record's cursor: no byte
is lost and none comes twice. A record is written after the bytes that it tells of; one that is torn, or whose bytes did
not reach the disk, is passed over. Everything here blocks.
"""

import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

from gofer.core.output import LogCursor

_FIELDS: Final = struct.Struct(">QQQ")
_CHECKSUM: Final = struct.Struct(">I")
RECORD_BYTES: Final = _FIELDS.size + _CHECKSUM.size
_RECORDS_A_READ: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A record: the log's size, and the raw bytes of each stream that it stands for up to there."""

    size_bytes: int = 0
    cursor: LogCursor = field(default_factory=LogCursor)

    def encode(self) -> bytes:
        """Write the record, with a checksum: what a power failure leaves of a file may be zeros."""
        fields = _FIELDS.pack(self.size_bytes, self.cursor.stdout_bytes, self.cursor.stderr_bytes)
        return fields + _CHECKSUM.pack(zlib.crc32(fields))


def recover(log: int, index: int) -> Place:
    """Cut both files to the last whole record whose bytes are there, stand at their ends, and give that record."""
    count, place = _last(index, os.fstat(log).st_size)
    os.ftruncate(index, count * RECORD_BYTES)
    os.ftruncate(log, place.size_bytes)
    os.lseek(index, 0, os.SEEK_END)
    os.lseek(log, 0, os.SEEK_END)
    return place


def recorded_bytes(index: int, log_bytes: int) -> int:
    """Give how much of a log its index vouches for: what is behind that is cut off when the log is gone on with."""
    return _last(index, log_bytes)[1].size_bytes


def shorten(index: int, place: Place) -> None:
    """Keep the last record only, `place`; at no moment is the index without it."""
    os.pwrite(index, place.encode(), 0)
    os.ftruncate(index, RECORD_BYTES)


def _last(index: int, log_bytes: int) -> tuple[int, Place]:
    """Give the wanted record and the number of records up to it; looks from the end, as it is near."""
    end = os.fstat(index).st_size // RECORD_BYTES
    while end > 0:
        begin = max(0, end - _RECORDS_A_READ)
        data = os.pread(index, (end - begin) * RECORD_BYTES, begin * RECORD_BYTES)
        for number in range(end - begin, 0, -1):
            place = _decode(data, (number - 1) * RECORD_BYTES)
            if place is not None and place.size_bytes <= log_bytes:
                return begin + number, place
        end = begin
    return 0, Place()


def _decode(data: bytes, at: int) -> Place | None:
    fields = data[at : at + _FIELDS.size]
    if _CHECKSUM.unpack_from(data, at + _FIELDS.size) != (zlib.crc32(fields),):
        return None
    size, stdout, stderr = _FIELDS.unpack(fields)
    return Place(size_bytes=size, cursor=LogCursor(stdout_bytes=stdout, stderr_bytes=stderr))
