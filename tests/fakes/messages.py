"""Messages of any kind, made from what the generated code says of them."""

import functools

import betterproto2
from hypothesis import strategies as st

NUMBERS = st.integers(-2, 20) | st.integers(-(1 << 63), (1 << 63) - 1)


def _about(kind: type[betterproto2.Message]) -> betterproto2.ProtoClassMetadata:
    """Give the library's own description of a kind of message."""
    return kind._betterproto  # type: ignore[arg-type]  # noqa: SLF001 - its types know no such property


def filled(kind: type[betterproto2.Message], text: str) -> betterproto2.Message:
    """Make a message with one of everything, and the text wherever there can be one; cursors stay empty."""
    message = kind()
    about = _about(kind)
    for name, meta in about.meta_by_field_name.items():
        if meta.group is None and not name.endswith("cursor"):
            setattr(message, name, _one(meta, name, about, text))
    return message


def _one(meta: betterproto2.FieldMetadata, name: str, about: betterproto2.ProtoClassMetadata, text: str) -> object:
    if meta.map_meta is not None:
        key = text if meta.map_meta[0].proto_type == "string" else 1
        return {key: _value(meta.map_meta[1].proto_type, about.cls_by_field[f"{name}.value"], text)}
    value = _value(meta.proto_type, about.cls_by_field[name], text)
    return [value] if meta.repeated else value


def _value(proto_type: str, kind: type, text: str) -> object:
    match proto_type:
        case "string":
            return text
        case "bytes":
            return text.encode(errors="replace")
        case "bool":
            return True
        case "enum":
            return kind(1)
        case "message":
            return filled(kind, text)
        case _:
            return 1


@functools.cache  # to make a strategy takes ten times as long as to draw from it
def messages(
    kind: type[betterproto2.Message], texts: st.SearchStrategy[str]
) -> st.SearchStrategy[betterproto2.Message]:
    """Any message of a kind; fields may be left out, and of those that exclude each other at most one is there."""
    about = _about(kind)
    fields = {
        name: _any(meta, name, about, texts) for name, meta in about.meta_by_field_name.items() if meta.group is None
    }
    choices = [_choice(sorted(names), about, texts) for names in _choices(about)]

    def made(plain: dict[str, object], chosen: list[tuple[str, object] | None]) -> betterproto2.Message:
        return kind(**plain, **dict(each for each in chosen if each is not None))

    return st.builds(made, st.fixed_dictionaries({}, optional=fields), st.tuples(*choices).map(list))


def _choice(
    names: list[str], about: betterproto2.ProtoClassMetadata, texts: st.SearchStrategy[str]
) -> st.SearchStrategy[tuple[str, object] | None]:
    each = [st.tuples(st.just(name), _any(about.meta_by_field_name[name], name, about, texts)) for name in names]
    return st.one_of([st.none(), *each])


def _choices(about: betterproto2.ProtoClassMetadata) -> list[set[str]]:
    groups: dict[str, set[str]] = {}
    for name, meta in about.meta_by_field_name.items():
        if meta.group is not None:
            groups.setdefault(meta.group, set()).add(name)
    return list(groups.values())


def _any(
    meta: betterproto2.FieldMetadata, name: str, about: betterproto2.ProtoClassMetadata, texts: st.SearchStrategy[str]
) -> st.SearchStrategy[object]:
    if meta.map_meta is not None:
        keys: st.SearchStrategy[object] = texts if meta.map_meta[0].proto_type == "string" else st.integers(0, 9)
        values = _values(meta.map_meta[1].proto_type, about.cls_by_field[f"{name}.value"], texts)
        return st.dictionaries(keys, values, max_size=3)
    value = _values(meta.proto_type, about.cls_by_field[name], texts)
    return st.lists(value, max_size=3) if meta.repeated else value


def _values(proto_type: str, kind: type, texts: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    match proto_type:
        case "string":
            return texts
        case "bytes":
            return st.binary(max_size=20)
        case "bool":
            return st.booleans()
        case "enum":
            return st.integers(-2, 9).map(kind)
        case "message":
            return messages(kind, texts)
        case _:
            return NUMBERS
