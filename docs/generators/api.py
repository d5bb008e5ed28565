"""The pages of the API: calls, messages and enums with their comments, from the protos."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from docs.generators.markdown import code, generated_page, join, sentences, table
from gofer.api.handlers.not_due import NOT_DUE

ROOT: Final = Path(__file__).resolve().parents[2]
PROTOS: Final = ROOT / "protos"
CONTRACT: Final = ROOT / "tests" / "data" / "wire-0.6.json"
FIRST_OF_OURS: Final = 100
"""Fields from this number on are no part of the 0.6 contract."""

_PACKAGE: Final = ".proto."
_SERVICES: Final = ("gofer.proto", "extension.proto")
SERVICE: Final = "Gofer"
_ADDED: Final = "*added*"
_MESSAGES, _METHODS, _SERVICE, _NESTED, _ENUMS, _VALUES, _FIELDS, _NESTED_ENUMS = 4, 2, 6, 3, 5, 2, 2, 4
"""Numbers of the fields of descriptors, which name a place in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of the protos, and the comments in it by their place."""

    descriptor: FileDescriptorProto
    comments: Mapping[tuple[int, ...], str]

    @property
    def noun(self) -> str:
        """Return the name of the page of its messages."""
        return self.descriptor.name.removeprefix("messages/").removesuffix(".proto")

    def comment(self, *place: int) -> str:
        """Return what stands above something, in one line; empty where nothing does."""
        return sentences(self.comments.get(place, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a service, and what is said of it."""

    service: str
    method: MethodDescriptorProto
    comment: str


class Reference:
    """All that the protos say."""

    def __init__(self) -> None:
        self.sources = tuple(_compile())
        contract = json.loads(CONTRACT.read_text(encoding="utf-8"))
        self._known: frozenset[str] = frozenset(
            {
                *contract["messages"],
                *contract["enums"],
                *(name for calls in contract["services"].values() for name in calls),
            }
        )
        self._homes = {
            f"{_PACKAGE}{name}": source.noun for source in self.sources for name in _names(source.descriptor)
        }

    def calls(self) -> Iterator[Call]:
        """Yield every call of every service."""
        for source in self.sources:
            for number, service in enumerate(source.descriptor.service):
                for place, method in enumerate(service.method):
                    comment = source.comment(_SERVICE, number, _METHODS, place)
                    yield Call(service=service.name, method=method, comment=comment)

    def calls_of(self, source: Source) -> tuple[Call, ...]:
        """Return the calls whose request is told in a file."""
        return tuple(call for call in self.calls() if self.home(call.method.input_type) == source.noun)

    @property
    def nouns(self) -> tuple[Source, ...]:
        """Return the files that hold messages."""
        return tuple(source for source in self.sources if source.descriptor.message_type)

    def home(self, name: str) -> str:
        """Return the page of a message or enum."""
        return self._homes[name]

    def link(self, name: str, *, page: str) -> str:
        """Return a link to a message or enum from a page."""
        short = name.removeprefix(_PACKAGE)
        home = self.home(name)
        return f"[{code(short)}]({'' if home == page else f'{home}.md'}#{_anchor(short)})"

    def mark(self, name: str) -> str:
        """Return the mark of what 0.6 does not have."""
        return "" if name in self._known else f" {_ADDED}"


def pages() -> Mapping[str, str]:
    """Return a page for the messages of each noun, by its name."""
    reference = Reference()
    return {source.noun: _noun_page(reference, source) for source in reference.nouns}


def calls() -> str:
    """Return the calls of the service of the server, noun by noun."""
    reference = Reference()
    parts: list[str] = []
    for source in reference.nouns:
        of_noun = [call for call in reference.calls_of(source) if call.service == SERVICE]
        if of_noun:
            parts += [f"## {_title(source)}", _calls_table(reference, of_noun, page="index")]
    return join(*parts)


def extension_calls() -> str:
    """Return the calls of the service that extensions implement."""
    reference = Reference()
    return join(_calls_table(reference, [each for each in reference.calls() if each.service != SERVICE], page="index"))


def _calls_table(reference: Reference, calls: Iterable[Call], *, page: str) -> str:
    return table(("call", "request", "reply", ""), [_call_row(reference, call, page) for call in calls])


def _call_row(reference: Reference, call: Call, page: str) -> tuple[str, str, str, str]:
    method = call.method
    not_yet = " *(not yet)*" if call.service == SERVICE and method.name in not_served() else ""
    request = ("stream of " if method.client_streaming else "") + reference.link(method.input_type, page=page)
    reply = ("stream of " if method.server_streaming else "") + reference.link(method.output_type, page=page)
    return f"{code(method.name)}{reference.mark(method.name)}{not_yet}", request, reply, call.comment


def not_served() -> frozenset[str]:
    """Return the names of the calls that this version refuses."""
    return frozenset("".join(word.title() for word in name.split("_")) for name in NOT_DUE)


def _noun_page(reference: Reference, source: Source) -> str:
    calls = reference.calls_of(source)
    parts = [sentences(source.comments.get((12,), ""))]
    if calls:
        parts += ["## Calls", _calls_table(reference, calls, page=source.noun)]
    for number, message in enumerate(source.descriptor.message_type):
        parts += _message(reference, source, message, (message.name, (_MESSAGES, number)))
    for number, enum in enumerate(source.descriptor.enum_type):
        parts += _enum(reference, source, enum, (enum.name, (_ENUMS, number)))
    return generated_page(f"API: {_title(source).lower()}", *parts)


def _message(
    reference: Reference, source: Source, message: DescriptorProto, at: tuple[str, tuple[int, ...]]
) -> Iterator[str]:
    name, place = at
    yield _heading(reference, name)
    yield source.comment(*place)
    entries = {each.name: each for each in message.nested_type if each.options.map_entry}
    rows = [
        _field_row(reference, source, field, (*place, _FIELDS, number), entries)
        for number, field in enumerate(message.field)
    ]
    yield table(("field", "type", ""), rows) if rows else "It has no fields."
    for number, enum in enumerate(message.enum_type):
        yield from _enum(reference, source, enum, (f"{name}.{enum.name}", (*place, _NESTED_ENUMS, number)))
    for number, nested in enumerate(message.nested_type):
        if nested.name not in entries:
            yield from _message(reference, source, nested, (f"{name}.{nested.name}", (*place, _NESTED, number)))


def _field_row(
    reference: Reference,
    source: Source,
    field: FieldDescriptorProto,
    place: tuple[int, ...],
    entries: Mapping[str, DescriptorProto],
) -> tuple[str, str, str]:
    mark = f" {_ADDED}" if field.number >= FIRST_OF_OURS else ""
    entry = entries.get(field.type_name.rpartition(".")[2])
    if entry:
        key, value = (_type(reference, each, source.noun) for each in entry.field)
        kind = f"map of {key} to {value}"
    else:
        repeated = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
        kind = repeated + ("optional " if field.proto3_optional else "") + _type(reference, field, source.noun)
    return f"{code(field.name)} = {field.number}{mark}", kind, source.comment(*place)


def _type(reference: Reference, field: FieldDescriptorProto, page: str) -> str:
    if field.type_name:
        return reference.link(field.type_name, page=page)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _enum(
    reference: Reference, source: Source, enum: EnumDescriptorProto, at: tuple[str, tuple[int, ...]]
) -> Iterator[str]:
    name, place = at
    yield _heading(reference, name)
    yield source.comment(*place)
    rows = [
        (f"{code(value.name)} = {value.number}", source.comment(*place, _VALUES, number))
        for number, value in enumerate(enum.value)
    ]
    yield table(("value", ""), rows)


def _heading(reference: Reference, name: str) -> str:
    return f"### {name}{reference.mark(f'proto.{name}')} {{ #{_anchor(name)} }}"


def _title(source: Source) -> str:
    return {"common": "What several nouns share"}.get(source.noun, source.noun.replace("_", " ").capitalize())


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


def _names(descriptor: FileDescriptorProto) -> Iterator[str]:
    yield from (enum.name for enum in descriptor.enum_type)
    for message in descriptor.message_type:
        yield from _names_within(message, message.name)


def _names_within(message: DescriptorProto, name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}.{enum.name}" for enum in message.enum_type)
    for nested in message.nested_type:
        yield from _names_within(nested, f"{name}.{nested.name}")


def _compile() -> Iterator[Source]:
    with tempfile.TemporaryDirectory(prefix="gofer-docs-") as folder:
        output = Path(folder) / "protos"
        command = (
            *(sys.executable, "-m", "grpc_tools.protoc"),
            f"--proto_path={PROTOS}",
            f"--descriptor_set_out={output}",
            *("--include_imports", "--include_source_info"),
            *_SERVICES,
        )
        subprocess.run(command, cwd=folder, check=True)
        found = FileDescriptorSet.FromString(output.read_bytes())
    for file in sorted(found.file, key=lambda each: each.name):
        comments = {
            tuple(location.path): location.leading_comments or _last(location.leading_detached_comments)
            for location in file.source_code_info.location
        }
        yield Source(descriptor=file, comments=comments)


def _last(comments: Iterable[str]) -> str:
    # What stands above `syntax` is about the file, with an empty line between.
    return next(iter(comments), "")
