"""Write one decoder as Python source for each message class, at its first use.

The generated code expects fields in the order of their numbers, as every encoder writes them: after each field it reads
the next tag and goes on with the next comparison, so that a whole message costs about one comparison a field. A tag
that none of the remaining comparisons takes is looked for from the first again; one that a whole pass didn't take is
unknown and kept. A decoder of a message with one field reads

    def run(b, i, end, m, left, parts):
     if m is None:
      m = new(cls)
      m.__dict__ = d = {'version': 0, '_unknown_fields': b''}
     else: d = m.__dict__
     while i < end:
      first = s = i
      t = b[i]; i += 1
      if t == 24:
       v = b[i]; i += 1
       if v > 127: v, i = int64(b, i - 1)
       d['version'] = v
       if i >= end: break
       s = i; t = b[i]; i += 1
      if s != first: i = s
      else: (keep the field as it is)
     if i != end: raise Malformed('it is cut short')
     return m

`b` is the whole input, `i` and `end` the part of it that is this message, `m` a message to merge into or None, `left`
how much deeper messages and groups may still nest, `parts` holds how many more parts there may be.
"""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

import betterproto2

from gofer_sdk.codec import varint
from gofer_sdk.codec.faults import MalformedMessage
from gofer_sdk.codec.shape import FieldShape, Kind, Label, shape_of
from gofer_sdk.codec.source import compiled, indented
from gofer_sdk.codec.unknown import keep, skip

M = TypeVar("M", bound=betterproto2.Message)
Decoder = Callable[[bytes, int, int, M | None, int, list[int]], M]

_HEAD = ["while i < end:", " first = s = i", " t = b[i]; i += 1"]
_NEXT = ["if i >= end: break", "s = i; t = b[i]; i += 1"]
# A `while` of its own can't break out of the outer one: a tag that nothing equals does.
_NEXT_SAME = ["if i >= end: t = -1; break", "s = i; t = b[i]; i += 1"]
_TAIL = [
    " if t < 0: break",
    " if s != first: i = s",
    " else:",
    "  t, x = short(b, s)",
    "  i = skip(b, x, end, t, left)",
    "  if t in tags:",  # a tag with leading zeros, which google takes: again, with the tag as the arms expect it
    "   x = unsigned(t) + b[x:i]",
    "   run(x, 0, len(x), m, left, parts)",
    "  else: keep(d, b[s:i])",
    "if i != end: raise Malformed('it is cut short')",
]
_LENGTH = [
    "n = b[i]; i += 1",
    "if n > 127: n, i = short(b, i - 1)",
    "e = i + n",
    "if e > end: raise Malformed('it is cut short')",
]
_DEEPER = "if left < 1: raise Malformed('it nests too deep')"
_HELPERS: dict[str, object] = {
    "Malformed": MalformedMessage,
    "short": varint.read_short,
    "int64": varint.read_int64,
    "int32": varint.read_int32,
    "unsigned": varint.unsigned,
    "skip": skip,
    "keep": keep,
}


class _Members(dict[int, betterproto2.Enum]):
    """The members of an enum by number; an unknown number becomes a member without a name, which is not kept."""

    def __init__(self, enum: type[betterproto2.Enum]) -> None:
        super().__init__({member.value: member for member in enum})
        self._enum = enum

    def __missing__(self, number: int) -> betterproto2.Enum:
        return self._enum(number)


@cache
def decoder_of(message_type: type[M]) -> Decoder[M]:
    """Return the function that decodes messages of this class.

    It raises MalformedMessage, IndexError or UnicodeDecodeError for bytes that are no such message. Raises TypeError
    for a class that the codec can't do.
    """
    fields = shape_of(message_type)
    make = ["if m is None:", " m = new(cls)", f" m.__dict__ = d = {_defaults(fields)}", "else: d = m.__dict__"]
    scope: dict[str, object] = {"new": object.__new__, "cls": message_type}
    return cast("Decoder[M]", _generated(fields, [make, ["return m"]], scope, message_type.__name__))


def _entry_decoder(field: FieldShape, name: str) -> Callable[..., object]:
    """Return the function that decodes one entry of a map into a dict with its `key` and its `value`."""
    fields = field.entry or ()
    make = [f"if m is None: m = {_defaults(fields)}", "d = m"]
    has_message = any(part.kind is Kind.MESSAGE for part in fields)
    absent = ["if d['value'] is None: d['value'] = decode_value(b, end, end, None, 0, parts)"] if has_message else []
    return _generated(fields, [make, [*absent, "return m"]], {}, f"{name}.{field.name}")


def _generated(
    fields: tuple[FieldShape, ...], frame: list[list[str]], scope: dict[str, object], name: str
) -> Callable[..., object]:
    """Compile a decoder; the frame is what makes the message and what gives it back."""
    arms: list[str] = []
    tags: set[int] = set()
    scope.update(_HELPERS)
    for field in fields:
        scope |= _needed(field, name)
        for wire_type in _wire_types(field):
            tags.add(field.number << 3 | wire_type)
            arms += _arm(field, wire_type)
    scope["tags"] = frozenset(tags)
    make, finish = frame
    body = [*make, *_HEAD, *indented(arms), *_TAIL, *finish]
    return compiled(["def run(b, i, end, m, left, parts):", *indented(body)], scope, name)


def _defaults(fields: tuple[FieldShape, ...]) -> str:
    """Return the dict display of a message that has no field set."""
    zeros = {Kind.BOOL: "False", Kind.BYTES: "b''", Kind.INT64: "0", Kind.STRING: "''"}
    absent = {Label.MAP: "{}", Label.REPEATED: "[]", Label.PRESENT: "None"}
    shown = [
        f"{field.name!r}: {absent.get(field.label) or zeros.get(field.kind) or f'members_{field.name}[0]'}, "
        for field in fields
    ]
    return f"{{{''.join(shown)}'_unknown_fields': b''}}"


def _needed(field: FieldShape, name: str) -> dict[str, object]:
    """Return the names that the code of a field refers to."""
    if field.label is Label.MAP:
        return {f"entry_{field.name}": _entry_decoder(field, name)}
    if field.kind is Kind.MESSAGE:
        return {f"decode_{field.name}": decoder_of(cast("type[betterproto2.Message]", field.of))}
    if field.kind is Kind.ENUM:
        return {f"members_{field.name}": _Members(cast("type[betterproto2.Enum]", field.of))}
    return {}


def _wire_types(field: FieldShape) -> tuple[int, ...]:
    """Return what a tag of this field may say; repeated numbers come packed or one by one."""
    if field.label is Label.REPEATED and field.kind.is_varint:
        return betterproto2.WIRE_LEN_DELIM, field.kind.wire_type
    return (field.kind.wire_type,)


def _arm(field: FieldShape, wire_type: int) -> list[str]:
    """Return the statements that take a field with this tag and read the next tag."""
    several = field.label in {Label.REPEATED, Label.MAP}
    first, *rest = field.tag(wire_type)
    test = " and ".join([f"t == {first}", *(f"b[i + {at}] == {byte}" for at, byte in enumerate(rest))])
    lines = [f"{'while' if several else 'if'} {test.replace('i + 0', 'i')}:"]
    if rest:
        lines.append(f" i += {len(rest)}")
    packed = wire_type == betterproto2.WIRE_LEN_DELIM and field.kind.is_varint
    return [*lines, *indented(_packed(field) if packed else _read(field)), *indented(_NEXT_SAME if several else _NEXT)]


def _packed(field: FieldShape) -> list[str]:
    one = [*_number(field), f"d[{field.name!r}].append(v)"]
    return [*_LENGTH, "while i < e:", *indented(one), "if i != e: raise Malformed('it is cut short')"]


def _read(field: FieldShape) -> list[str]:
    """Return the statements that read one value at `i` and store it."""
    place = f"d[{field.name!r}]"
    store = f"{place}.append(v)" if field.label is Label.REPEATED else f"{place} = v"
    others = [f"d[{name!r}] = None" for name in field.siblings]
    if field.kind.is_varint:
        return [*_number(field), store, *others]
    if field.label is Label.MAP:
        # as google does: an entry that holds more than a key and a value is kept as it is
        kept = ["if v['_unknown_fields']: keep(d, b[s:e])", f"else: {place}[v['key']] = v['value']"]
        entry = [_DEEPER, f"v = entry_{field.name}(b, i, e, None, left - 1, parts); i = e"]
        return [*_LENGTH, *_counted(1), *entry, *kept]
    match field.kind:
        case Kind.STRING:
            value = ["v = b[i:e].decode(); i = e"]
        case Kind.BYTES:
            value = ["v = b[i:e]; i = e"]
        case _:
            # a second occurrence of a single sub-message is merged into the first
            into = "None" if field.label is Label.REPEATED else place
            value = [_DEEPER, f"v = decode_{field.name}(b, i, e, {into}, left - 1, parts); i = e"]
            value = [*_counted(len(shape_of(cast("type[betterproto2.Message]", field.of))) + 1), *value]
    counted = _counted(1) if field.label is Label.REPEATED and field.kind is not Kind.MESSAGE else []
    return [*_LENGTH, *counted, *value, store, *others]


def _counted(parts: int) -> list[str]:
    return [f"parts[0] -= {parts}", "if parts[0] < 0: raise Malformed('it has too many parts')"]


def _number(field: FieldShape) -> list[str]:
    """Return the statements that read one varint at `i` into `v`."""
    lines = ["v = b[i]; i += 1"]
    match field.kind:
        case Kind.ENUM:
            return [*lines, "if v > 127: v, i = int32(b, i - 1)", f"v = members_{field.name}[v]"]
        case Kind.BOOL:
            return [*lines, "if v > 127: v, i = int64(b, i - 1)", "v = v != 0"]
        case _:
            return [*lines, "if v > 127: v, i = int64(b, i - 1)"]
