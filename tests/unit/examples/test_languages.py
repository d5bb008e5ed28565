"""The messages in Go and Rust are those of the protos, and their lock files name no place to fetch from."""

import re

import pytest

from gofer_sdk._proto import proto
from tests.unit.examples.test_examples import EXAMPLES

MESSAGES = (proto.UserPipelineConfig, proto.UserPipelineTaskConfig, proto.RegistryAuth)


def fields(message: type[object]) -> dict[str, int]:
    found = {
        name: field.metadata["betterproto"].number
        for name, field in message.__dataclass_fields__.items()  # type: ignore[attr-defined]
        if "betterproto" in field.metadata
    }
    return {name.rstrip("_"): number for name, number in found.items()}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_the_go_code_has_every_field_under_its_number(message: type[object]) -> None:
    text = "".join((EXAMPLES / "hello_go/wire" / name).read_text() for name in ("programs.pb.go", "common.pb.go"))
    body = text.split(f"type {message.__name__} struct {{")[1].split("\n}\n")[0]

    assert {name: int(number) for number, name in re.findall(r'protobuf:"\w+,(\d+),\w+,name=(\w+)', body)} == fields(
        message
    )


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_the_rust_code_has_every_field_under_its_number(message: type[object]) -> None:
    text = (EXAMPLES / "hello_rust/src/wire.rs").read_text()
    body = text.split(f"pub struct {message.__name__} {{")[1].split("\n}\n")[0]

    assert {name: int(number) for number, name in re.findall(r'tag ?= ?"(\d+)"\)\]\s+pub (\w+):', body)} == fields(
        message
    )


def test_lock_files_name_no_place_to_fetch_from() -> None:
    sources = re.findall(r'^source = "(.*)"$', (EXAMPLES / "hello_rust/Cargo.lock").read_text(), re.MULTILINE)

    assert set(sources) == {"registry+https://github.com/rust-lang/crates.io-index"}
    assert "://" not in (EXAMPLES / "hello_go/go.sum").read_text()
