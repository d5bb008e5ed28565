"""The .proto files against the contract of 0.6, and the generated code against the .proto files."""

import json
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from tests.google_wire import PROTOS, descriptors

Facts = dict[str, dict[str, object]]

FIRST_OWN_NUMBER = 100
CONTRACT = json.loads((PROTOS.parent / "tests" / "data" / "wire-0.6.json").read_text(encoding="utf-8"))


def all_messages() -> Iterator[tuple[str, DescriptorProto]]:
    """Every message of our files with its full name, map entries included."""
    waiting = [(f"{file.package}.{one.name}", one) for file in descriptors().file for one in file.message_type]
    while waiting:
        name, message = waiting.pop()
        yield name, message
        waiting.extend((f"{name}.{nested.name}", nested) for nested in message.nested_type)


def scalar_name(field: FieldDescriptorProto) -> str:
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return field.type_name.lstrip(".") if plain in {"message", "enum"} else plain


def described(message: DescriptorProto, entries: dict[str, DescriptorProto]) -> dict[str, object]:
    """The fields of one message as the contract spells them."""
    fields: dict[str, object] = {}
    for field in message.field:
        repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
        entry = entries.get(field.type_name)
        if entry is not None:
            kind = f"map<{scalar_name(entry.field[0])},{scalar_name(entry.field[1])}>"
        else:
            kind = ("repeated " if repeated else "") + scalar_name(field)
        spelled: dict[str, object] = {"number": field.number, "type": kind}
        if field.HasField("oneof_index") and not field.proto3_optional:
            spelled["oneof"] = message.oneof_decl[field.oneof_index].name
        fields[field.name] = spelled
    return fields


@pytest.fixture(scope="module")
def messages() -> Facts:
    everything = dict(all_messages())
    entries = {f".{name}": one for name, one in everything.items() if one.options.map_entry}
    return {name: described(one, entries) for name, one in everything.items() if f".{name}" not in entries}


@pytest.fixture(scope="module")
def enums() -> Facts:
    nested = [(name, enum) for name, one in all_messages() for enum in one.enum_type]
    top = [(file.package, enum) for file in descriptors().file for enum in file.enum_type]
    return {
        f"{prefix}.{enum.name}": {value.name: value.number for value in enum.value} for prefix, enum in nested + top
    }


@pytest.fixture(scope="module")
def services() -> Facts:
    return {
        f"{file.package}.{service.name}": {
            rpc.name: {
                "request": rpc.input_type.lstrip("."),
                "response": rpc.output_type.lstrip("."),
                "client_streaming": rpc.client_streaming,
                "server_streaming": rpc.server_streaming,
            }
            for rpc in service.method
        }
        for file in descriptors().file
        for service in file.service
    }


def test_every_field_of_the_contract_is_there_as_0_6_has_it(messages: Facts) -> None:
    for name, expected in CONTRACT["messages"].items():
        found = {field: facts for field, facts in messages[name].items() if field in expected}

        assert found == expected, name


def test_every_rpc_of_the_contract_is_there_as_0_6_has_it(services: Facts) -> None:
    for name, expected in CONTRACT["services"].items():
        assert expected.items() <= services[name].items()


def test_every_enum_of_the_contract_has_exactly_the_values_of_0_6(enums: Facts) -> None:
    assert {name: enums[name] for name in CONTRACT["enums"]} == CONTRACT["enums"]


def test_a_field_of_ours_is_numbered_100_or_more(messages: Facts) -> None:
    ours = {
        f"{name}.{field}": facts
        for name, fields in messages.items()
        for field, facts in fields.items()
        if field not in CONTRACT["messages"].get(name, {}) and name in CONTRACT["messages"]
    }

    low = [field for field, facts in ours.items() if isinstance(facts, dict) and facts["number"] < FIRST_OWN_NUMBER]

    assert ours, "the additions have gone"
    assert low == []


def test_every_file_is_of_the_one_package_that_0_6_clients_call() -> None:
    assert {file.package for file in descriptors().file} == {CONTRACT["package"]}
