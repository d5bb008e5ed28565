"""Protobuf's variable-length integers: look-up tables for what is common, a loop for the rest.

Readers take a buffer and the index of the first byte, and return the value and the index after the last byte. They
raise IndexError where the buffer ends first, and MalformedMessage where the bytes are no integer of their kind.
"""

from gofer_sdk.codec.faults import MalformedMessage

MAX_VARINT_BYTES = 10
MAX_SHORT_VARINT_BYTES = 5  # of a tag or a length, leading zeros included

_LOW_SEVEN = 0x7F
_MORE = 0x80
_BITS_14 = 1 << 14
_BITS_28 = 1 << 28
_BITS_31 = 1 << 31
_BITS_32 = 1 << 32
_BITS_42 = 1 << 42
_BITS_63 = 1 << 63
_BITS_64 = 1 << 64
_LOW_14 = _BITS_14 - 1


def _pairs(*, more: bool) -> list[bytes]:
    """Return the two bytes that hold each number of 14 bits, the second one marked where more bytes follow."""
    chunk = bytearray(256)
    chunk[0::2] = bytes(range(_MORE, 256))
    found: list[bytes] = []
    for high in range(128):
        chunk[1::2] = bytes([high | _MORE if more else high]) * 128
        block = bytes(chunk)
        found += [block[at : at + 2] for at in range(0, 256, 2)]
    return found


# SMALL holds the varint of each number below 16384; _LOW the low 14 bits of a longer one.
SMALL = [*(bytes([number]) for number in range(128)), *_pairs(more=False)[128:]]
_LOW = _pairs(more=True)


def _long(value: int) -> bytes:
    out = bytearray()
    while value > _LOW_SEVEN:
        out.append(value & _LOW_SEVEN | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def unsigned(value: int) -> bytes:
    """Return the varint of a number that is not negative: a tag or a length."""
    return SMALL[value] if value < _BITS_14 else _long(value)


def int64(value: int) -> bytes:
    """Return the varint of a signed 64-bit number.

    Raises ValueError where it has no room in 64 bits.
    """
    if _BITS_14 <= value < _BITS_42:  # times in milliseconds are here
        if value < _BITS_28:
            return _LOW[value & _LOW_14] + SMALL[value >> 14]
        return _LOW[value & _LOW_14] + _LOW[value >> 14 & _LOW_14] + SMALL[value >> 28]
    if not -_BITS_63 <= value < _BITS_63:
        raise ValueError(f"{value} does not fit into 64 bits")
    return _long(value & _BITS_64 - 1)


def int32(value: int) -> bytes:
    """Return the varint of a signed 32-bit number, which an enum value is.

    Raises ValueError where it has no room in 32 bits.
    """
    if not -_BITS_31 <= value < _BITS_31:
        raise ValueError(f"{value} does not fit into the 32 bits of an enum")
    return _long(value & _BITS_64 - 1)


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned 64-bit number of at most ten bytes."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & _LOW_SEVEN) << shift
        if byte < _MORE:
            if value >= _BITS_64:
                raise MalformedMessage("an integer overflows 64 bits")
            return value, at
        shift += 7
        if shift == 7 * MAX_VARINT_BYTES:
            raise MalformedMessage("an integer has more than ten bytes")


def read_int64(data: bytes, at: int) -> tuple[int, int]:
    """Read a signed 64-bit number whose first byte says that more follow."""
    # Unrolled for times in milliseconds, which have six bytes: each step takes away the mark of the byte before it.
    value = data[at] - _MORE
    byte = data[at + 1]
    if byte < _MORE:
        return value + (byte << 7), at + 2
    value += (byte - _MORE) << 7
    byte = data[at + 2]
    if byte < _MORE:
        return value + (byte << 14), at + 3
    value += (byte - _MORE) << 14
    byte = data[at + 3]
    if byte < _MORE:
        return value + (byte << 21), at + 4
    value += (byte - _MORE) << 21
    byte = data[at + 4]
    if byte < _MORE:
        return value + (byte << 28), at + 5
    value += (byte - _MORE) << 28
    byte = data[at + 5]
    if byte < _MORE:
        return value + (byte << 35), at + 6
    value, at = read_unsigned(data, at)
    return value - _BITS_64 if value >= _BITS_63 else value, at


def read_int32(data: bytes, at: int) -> tuple[int, int]:
    """Read an enum value: the low 32 bits of a varint, with their sign."""
    value, at = read_unsigned(data, at)
    value &= _BITS_32 - 1
    return value - _BITS_32 if value >= _BITS_31 else value, at


def read_short(data: bytes, at: int) -> tuple[int, int]:
    """Read a tag or a length: at most five bytes, below 2**32."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & _LOW_SEVEN) << shift
        if byte < _MORE:
            if value >= _BITS_32:
                raise MalformedMessage("a tag or a length overflows 32 bits")
            return value, at
        shift += 7
        if shift == 7 * MAX_SHORT_VARINT_BYTES:
            raise MalformedMessage("a tag or a length has more than five bytes")
