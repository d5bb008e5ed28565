"""Whether a tree of JSON has the shape of a message, by protobuf's JSON mapping.

The library that makes the message of it takes a text for a list of letters and anything for true, and tells most other
mistakes without their place.
"""

from collections.abc import Iterator

import betterproto2
from betterproto2.casing import safe_snake_case

from gofer_sdk.codec.shape import FieldShape, Kind, Label, shape_of
from gofer_sdk.rules.text import quoted


def json_faults(tree: object, message_type: type[betterproto2.Message], place: str = "") -> Iterator[str]:
    """Yield every value that is not what its field takes, with its place, such as `tasks[0].command`.

    Values are not shown where a secret may be among them. What numbers and texts may be is left to others.
    """
    if not isinstance(tree, dict):
        yield f"{place or 'it'} is {_kind_of(tree)}: write an object, {{...}}"
        return
    fields = {field.name: field for field in shape_of(message_type)}
    keys: dict[str, str] = {}
    for key, value in tree.items():
        name, here = safe_snake_case(key), f"{place}.{key}" if place else key
        if name not in fields:
            known = ", ".join(each.rstrip("_") for each in fields)
            yield f"{quoted(here)} is not known; known there: {known}"
        elif name in keys:
            yield f"{here} and {keys[name]} are one field: give it once"
        elif value is not None:  # which is a field that is left out
            yield from _field_faults(value, fields[name], here)
        keys[name] = here


def _field_faults(value: object, field: FieldShape, place: str) -> Iterator[str]:
    match field.label:
        case Label.REPEATED if isinstance(value, list):
            for number, part in enumerate(value):
                yield from _value_faults(part, field, f"{place}[{number}]")
        case Label.REPEATED:
            yield f"{place} is {_kind_of(value)}: write a list, [...]"
        case Label.MAP if isinstance(value, dict) and field.entry is not None:
            for key, part in value.items():
                yield from _value_faults(part, field.entry[1], f"{place}.{key}")
        case Label.MAP:
            yield f"{place} is {_kind_of(value)}: write an object, {{...}}"
        case _:
            yield from _value_faults(value, field, place)


def _value_faults(value: object, field: FieldShape, place: str) -> Iterator[str]:
    match field.kind:
        case Kind.MESSAGE if field.of is not None:
            yield from json_faults(value, field.of, place)
        case Kind.ENUM if field.of is not None:
            yield from _enum_faults(value, field.of, place)
        case Kind.BOOL if not isinstance(value, bool):
            yield f"{place} is {_kind_of(value)}: write true or false"
        case Kind.INT64 if not _is_whole(value):
            yield f"{place} is {_kind_of(value)}: write a whole number"
        case Kind.STRING | Kind.BYTES if not isinstance(value, str):
            yield f'{place} is {_kind_of(value)}: write a text, "..."'
        case _:
            pass


def _enum_faults(value: object, enum: type[betterproto2.Enum], place: str) -> Iterator[str]:
    names = [member.name for member in enum]
    if isinstance(value, str) and value not in names:
        yield f"{place} is {quoted(value)}: write one of {', '.join(names)}"
    elif not isinstance(value, str) and (not isinstance(value, int) or isinstance(value, bool)):
        yield f"{place} is {_kind_of(value)}: write one of {', '.join(names)}"


def _is_whole(value: object) -> bool:
    if isinstance(value, str):
        return value.removeprefix("-").isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"
