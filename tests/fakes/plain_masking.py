"""Masking as it is meant, the slow and obvious way."""

from gofer.core.masking import MASK


def by_the_whole_text(data: bytes, values: tuple[bytes, ...]) -> bytes:
    """Mask all of an output at once. The values come longest first."""
    out, position = bytearray(), 0
    while position < len(data):
        found = next((value for value in values if data.startswith(value, position)), b"")
        out += MASK if found else data[position : position + 1]
        position += len(found) or 1
    return bytes(out)
