"""What the encoder and the decoder need to know of a generated message class."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import get_args, get_type_hints

import betterproto2

from gofer_sdk.codec import varint


@unique
class Kind(StrEnum):
    """The field types that the contract uses, as protobuf calls them."""

    BOOL = betterproto2.TYPE_BOOL
    BYTES = betterproto2.TYPE_BYTES
    ENUM = betterproto2.TYPE_ENUM
    INT64 = betterproto2.TYPE_INT64
    MESSAGE = betterproto2.TYPE_MESSAGE
    STRING = betterproto2.TYPE_STRING

    @property
    def is_varint(self) -> bool:
        """Whether values are one varint each, and repeated ones packed."""
        return self in {Kind.BOOL, Kind.ENUM, Kind.INT64}

    @property
    def wire_type(self) -> int:
        """The low three bits of a tag."""
        return betterproto2.WIRE_VARINT if self.is_varint else betterproto2.WIRE_LEN_DELIM


@unique
class Label(StrEnum):
    """How often a field may be there, and what it is when it isn't."""

    PLAIN = "plain"  # absent is the zero of its kind
    PRESENT = "present"  # absent is None: sub-messages, `optional`, members of a oneof
    REPEATED = "repeated"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShape:
    """One field: its name in Python, its number, and what its values are."""

    name: str
    number: int
    label: Label
    kind: Kind  # of a map: that of its entries, MESSAGE
    of: type | None = None  # the class of an enum or a message
    siblings: tuple[str, ...] = ()  # the other members of its oneof
    entry: "tuple[FieldShape, FieldShape] | None" = None  # of a map: key and value

    def tag(self, wire_type: int | None = None) -> bytes:
        """Return the bytes before a value, for the field's own wire type unless another is given."""
        return varint.unsigned(self.number << 3 | (self.kind.wire_type if wire_type is None else wire_type))


def shape_of(message_type: type[betterproto2.Message]) -> tuple[FieldShape, ...]:
    """Return the fields of a generated class in the order of their numbers.

    Raises TypeError for a field type that the contract doesn't use.
    """
    hints = get_type_hints(message_type)
    fields = {field.name: betterproto2.FieldMetadata.get(field) for field in dataclasses.fields(message_type)}  # type: ignore[arg-type]  # a dataclass, as all generated ones
    shapes = [
        _field(f"{message_type.__name__}.{name}", hints[name], meta, _siblings(name, fields))
        for name, meta in fields.items()
    ]
    return tuple(sorted(shapes, key=lambda shape: shape.number))


def _siblings(name: str, fields: dict[str, betterproto2.FieldMetadata]) -> tuple[str, ...]:
    group = fields[name].group
    return tuple(other for other, meta in fields.items() if group and meta.group == group and other != name)


def _field(
    path: str, hint: type, meta: betterproto2.FieldMetadata, siblings: tuple[str, ...] = (), label: Label | None = None
) -> FieldShape:
    name = path.rpartition(".")[2]
    if meta.map_meta is not None:
        key_hint, value_hint = get_args(hint)
        key = _field(f"{path}.key", key_hint, meta.map_meta[0], label=Label.PLAIN)
        value = _field(f"{path}.value", value_hint, meta.map_meta[1])
        value = dataclasses.replace(value, label=Label.PRESENT if value.kind is Kind.MESSAGE else Label.PLAIN)
        return FieldShape(name=name, number=meta.number, label=Label.MAP, kind=Kind.MESSAGE, entry=(key, value))
    try:
        kind = Kind(meta.proto_type)
    except ValueError:
        raise TypeError(f"the codec can't do {path}: no field of the contract was of type {meta.proto_type}") from None
    if label is None:
        label = Label.REPEATED if meta.repeated else Label.PRESENT if meta.optional else Label.PLAIN
    inner = hint if label is Label.PLAIN else next((arg for arg in get_args(hint) if arg is not type(None)), hint)
    return FieldShape(
        name=name,
        number=meta.number,
        label=label,
        kind=kind,
        of=inner if kind in {Kind.ENUM, Kind.MESSAGE} else None,
        siblings=siblings,
    )
