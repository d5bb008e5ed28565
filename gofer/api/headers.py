"""Headers that come again and again, looked up instead of worked out: HPACK in pure Python takes its time for each.

Nearly all replies have the same headers, and so have the calls of one method on one connection.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple

Header: TypeAlias = tuple[bytes, bytes]

USUAL: Final[tuple[tuple[Header, ...], ...]] = (
    ((b":status", b"200"), (b"content-type", b"application/grpc+proto")),
    ((b"grpc-status", b"0"),),
)
MOST_KEPT: Final = 8
"""Of one connection, as many methods as are called by turns."""
MOST_FIELDS: Final = 32
_INDEXED: Final = 0x80  # a field of one byte from here on is a place in the table
_LONGER: Final = b"\xff"  # but for this, the beginning of a place with a larger number


def written() -> dict[tuple[Header, ...], bytes]:
    """Give the usual headers of replies in a form that needs no table, and so is the same on all connections."""
    return {headers: Encoder().encode([NeverIndexedHeaderTuple(*each) for each in headers]) for headers in USUAL}


class ReplyEncoder(Encoder):
    """Encodes the headers of one connection's replies; those that are written already it gives as they are."""

    def __init__(self, known: Mapping[tuple[Header, ...], bytes]) -> None:
        """Share `known`, made by `written`, with other connections."""
        super().__init__()
        self._known = known

    def encode(
        self,
        headers: Iterable[HeaderTuple | tuple[bytes | str, bytes | str] | tuple[bytes | str, bytes | str, bool | None]]
        | dict[bytes | str, bytes | str],
        huffman: bool = True,  # noqa: FBT001, FBT002 - as hpack has it
    ) -> bytes:
        """Give a block of headers."""
        if isinstance(headers, list) and not self.header_table.resized:  # else the block has to tell of the new size
            known = self._known.get(tuple(headers))
            if known is not None:
                return known
        return super().encode(headers, huffman)


class CallDecoder(Decoder):
    """Decodes the headers of one connection's calls, and keeps what blocks mean that only name places in the table.

    Such a block changes nothing in the table, so it means the same until one of another kind comes.
    """

    def __init__(self) -> None:
        """Begin with an empty table."""
        super().__init__()
        self._kept: dict[bytes, tuple[HeaderTuple, ...]] = {}

    def decode(self, data: bytes, raw: bool = False) -> list[HeaderTuple]:  # noqa: FBT001, FBT002 - as hpack has it
        """Give the headers of a block. Raises `HPACKDecodingError`."""
        if not (raw and 0 < len(data) <= MOST_FIELDS and min(data) >= _INDEXED and _LONGER not in data):
            self._kept.clear()
            return list(super().decode(data, raw))
        found = self._kept.get(data)
        if found is None:
            found = tuple(super().decode(data, raw))
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[data] = found
        return list(found)
