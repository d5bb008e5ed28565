"""Fields that a decoder doesn't know: skipped with all the checks of known ones, and kept."""

from typing import cast

from gofer_sdk.codec.faults import MalformedMessage
from gofer_sdk.codec.varint import read_short, read_unsigned


def keep(fields: dict[str, object], raw: bytes) -> None:
    """Add the bytes of an unknown field to those that a message carries along."""
    kept = fields["_unknown_fields"]
    # A bytearray grows in place: many small unknown fields must not cost the square of their number.
    grown = kept if isinstance(kept, bytearray) else bytearray(cast("bytes", kept))
    grown += raw
    fields["_unknown_fields"] = grown


def skip(data: bytes, at: int, end: int, tag: int, left: int) -> int:
    """Return the index after the value, which begins at an index, of the field with this tag.

    `left` is how deep groups may nest. Raises MalformedMessage for what is no field or goes on behind `end`; IndexError
    where the input ends first.
    """
    if tag >> 3 == 0:
        raise MalformedMessage("a field has the number 0")
    match tag & 7:
        case 0:
            after = read_unsigned(data, at)[1]
        case 1:
            after = at + 8
        case 2:
            size, after = read_short(data, at)
            after += size
        case 3:
            after = _skip_group(data, at, end, tag, left)
        case 5:
            after = at + 4
        case other:
            raise MalformedMessage(f"a field has the wire type {other}, which can't begin one")
    if after > end:
        raise MalformedMessage("it is cut short")
    return after


def _skip_group(data: bytes, at: int, end: int, tag: int, left: int) -> int:
    """Return the index after the end of a group, the ends of the groups within it checked."""
    open_groups = [tag >> 3]
    while open_groups:
        if len(open_groups) > left:
            raise MalformedMessage("it nests too deep")
        if at >= end:
            raise MalformedMessage("it is cut short")
        tag, at = read_short(data, at)
        match tag & 7:
            case 3 if tag >> 3:
                open_groups.append(tag >> 3)
            case 4:
                if open_groups.pop() != tag >> 3:
                    raise MalformedMessage("a group ends that did not begin")
            case _:
                at = skip(data, at, end, tag, left)
    return at
