"""Streams of bytes in pieces of a known size."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

PIECE_BYTES: Final = 1024 * 1024


async def in_pieces(content: AsyncIterable[bytes], *, piece_bytes: int = PIECE_BYTES) -> AsyncGenerator[bytes, None]:
    """Give the same bytes in pieces of exactly that size, but for the last; nothing where there are none."""
    gathered = bytearray()
    async for data in content:
        gathered += data
        while len(gathered) >= piece_bytes:
            yield bytes(memoryview(gathered)[:piece_bytes])
            del gathered[:piece_bytes]
    if gathered:
        yield bytes(gathered)
