r"""Write one encoder as Python source for each message class, at its first use.

Field numbers, types and defaults are burnt into straight-line code: walking over a description of the fields for each
message, as a general encoder must, takes fifteen times as long. An encoder of a message with two fields reads

    def run(m):
     d = m.__dict__
     o = []
     a = o.append
     v = d['log_line']
     if v:
      x = v.encode()
      n = len(x)
      a(b'\n' + (SMALL[n] if n < 16384 else unsigned(n)) + x)
     v = d['line_num']
     if v:
      a(b'\x10' + (SMALL[v] if 0 <= v < 16384 else int64(v)))
     v = d['_unknown_fields']
     if v: a(v)
     return b''.join(o)
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import cast

import betterproto2

from gofer_sdk.codec import varint
from gofer_sdk.codec.shape import FieldShape, Kind, Label, shape_of
from gofer_sdk.codec.source import compiled, indented

Encoder = Callable[[betterproto2.Message], bytes]

_HEAD = ["def run(m):", " d = m.__dict__", " o = []", " a = o.append"]
_TAIL = [" v = d['_unknown_fields']", " if v: a(v)", " return b''.join(o)"]
_LENGTH = "(SMALL[n] if n < 16384 else unsigned(n))"
_TABLES: dict[str, object] = {
    "SMALL": varint.SMALL,
    "unsigned": varint.unsigned,
    "int64": varint.int64,
    "int32": varint.int32,
}
_PACKED = 2


@cache
def encoder_of(message_type: type[betterproto2.Message]) -> Encoder:
    """Return the function that encodes messages of exactly this class.

    It raises AttributeError, KeyError, TypeError or ValueError where a field holds what has no bytes. Raises TypeError
    for a class that the codec can't do.
    """
    fields = shape_of(message_type)
    scope = dict(_TABLES)
    lines = [*_HEAD, *indented(_one_of_each(fields))]
    for field in fields:
        for inner in (field, *(field.entry or ())):
            if inner.kind is Kind.MESSAGE and inner.of is not None:
                scope[f"encode_{field.name}"] = encoder_of(inner.of)
        lines += indented([f"v = d[{field.name!r}]", *_field(field)])
    return cast("Encoder", compiled([*lines, *_TAIL], scope, message_type.__name__))


def _one_of_each(fields: tuple[FieldShape, ...]) -> Iterator[str]:
    """Refuse a message with two members of one oneof: no bytes could say so."""
    groups = {frozenset({field.name, *field.siblings}) for field in fields if field.siblings}
    for names in sorted(sorted(group) for group in groups):
        count = " + ".join(f"(d[{name!r}] is not None)" for name in names)
        yield f"if {count} > 1: raise ValueError('only one may be set of: {', '.join(names)}')"


def _field(field: FieldShape) -> list[str]:
    """Return the statements that write a field whose value is in `v`."""
    match field.label:
        case Label.MAP:
            return ["for k, v in v.items():", *indented(_entry(field))]
        case Label.REPEATED if field.kind.is_varint:
            joined = f"x = b''.join([{_varint(field.kind, 'w')} for w in v])"
            return ["if v:", *indented([joined, *_sized(field.tag(_PACKED))])]
        case Label.REPEATED:
            return ["for w in v:", *indented(_value(field, "w", field.name))]
        case Label.PRESENT:
            return ["if v is not None:", *indented(_value(field, "v", field.name))]
        case Label.PLAIN:
            return ["if v:", *indented(_value(field, "v", field.name))]


def _entry(field: FieldShape) -> list[str]:
    """Return the statements that write one entry `k`, `v` of a map; both are always written, as google does."""
    lines = []
    for part, variable in zip(field.entry or (), "kv", strict=True):
        if part.kind.is_varint:
            lines.append(f"{variable} = {part.tag()!r} + {_varint(part.kind, variable)}")
        else:
            lines += [
                _body(part.kind, variable, field.name),
                "n = len(x)",
                f"{variable} = {part.tag()!r} + {_LENGTH} + x",
            ]
    return [*lines, "x = k + v", *_sized(field.tag())]


def _value(field: FieldShape, variable: str, name: str) -> list[str]:
    if field.kind.is_varint:
        return [f"a({field.tag()!r} + {_varint(field.kind, variable)})"]
    return [_body(field.kind, variable, name), *_sized(field.tag())]


def _sized(tag: bytes) -> list[str]:
    return ["n = len(x)", f"a({tag!r} + {_LENGTH} + x)"]


def _body(kind: Kind, variable: str, name: str) -> str:
    match kind:
        case Kind.STRING:
            return f"x = {variable}.encode()"
        case Kind.BYTES:
            return f"x = {variable}"
        case _:
            return f"x = encode_{name}({variable})"


def _varint(kind: Kind, variable: str) -> str:
    match kind:
        case Kind.BOOL:
            return f"(b'\\1' if {variable} else b'\\0')"
        case Kind.ENUM:
            return f"(SMALL[{variable}] if 0 <= {variable} < 16384 else int32({variable}))"
        case _:
            return f"(SMALL[{variable}] if 0 <= {variable} < 16384 else int64({variable}))"
