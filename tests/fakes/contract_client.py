"""A client that knows nothing but the 0.6 contract: google's own classes and grpcio's stubs, made from its data."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

CONTRACT = Path(__file__).parents[1] / "data" / "wire-0.6.json"
NAME = "contract_0_6"


def make_modules(folder: Path) -> tuple[ModuleType, ModuleType]:
    """Compile the contract in `folder` and give the modules of its messages and of its stubs."""
    (folder / f"{NAME}.proto").write_text(proto_source(json.loads(CONTRACT.read_text())))
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"),
        *(f"--python_out={folder}", f"--grpc_python_out={folder}", f"{NAME}.proto"),
    ]
    subprocess.run(command, check=True)
    return _load(folder, f"{NAME}_pb2"), _load(folder, f"{NAME}_pb2_grpc")


def proto_source(contract: dict[str, Any]) -> str:
    """Write the contract as one .proto file."""
    package = f"{contract['package']}."
    lines = ['syntax = "proto3";', f"package {contract['package']};"]
    for full_name in contract["messages"]:
        name = full_name.removeprefix(package)
        if "." not in name:
            lines += _message(contract, full_name)
    for full_name, rpcs in contract["services"].items():
        lines.append(f"service {full_name.removeprefix(package)} {{")
        lines += (_rpc(name, rpc) for name, rpc in rpcs.items())
        lines.append("}")
    return "\n".join(lines)


def _message(contract: dict[str, Any], full_name: str) -> Iterator[str]:
    yield f"message {full_name.rpartition('.')[2]} {{"
    for name, values in contract["enums"].items():
        if name.rpartition(".")[0] == full_name:
            yield f"enum {name.rpartition('.')[2]} {{"
            yield from (f"{value} = {number};" for value, number in values.items())
            yield "}"
    for name in contract["messages"]:
        if name.rpartition(".")[0] == full_name:
            yield from _message(contract, name)
    yield from _fields(contract["messages"][full_name])
    yield "}"


def _fields(fields: dict[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name, field in fields.items():
        text = f"{_type(field['type'])} {name} = {field['number']};"
        groups.setdefault(field.get("oneof", ""), []).append(text)
    yield from groups.pop("", [])
    for oneof, members in groups.items():
        yield f"oneof {oneof} {{"
        yield from members
        yield "}"


def _type(name: str) -> str:
    if name.startswith("repeated "):
        return f"repeated {_type(name.removeprefix('repeated '))}"
    if name.startswith("map<"):
        key, value = name.removeprefix("map<").removesuffix(">").split(",")
        return f"map<{key}, {_type(value.strip())}>"
    return f".{name}" if "." in name else name  # full names begin with a dot there


def _rpc(name: str, rpc: dict[str, Any]) -> str:
    takes = "stream " if rpc["client_streaming"] else ""
    gives = "stream " if rpc["server_streaming"] else ""
    return f"rpc {name}({takes}.{rpc['request']}) returns ({gives}.{rpc['response']});"


def _load(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # the stubs import the messages by this name
    spec.loader.exec_module(module)
    return module
