"""The .proto files as google's own protobuf sees them: an independent second opinion on all that we say of the wire."""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

PROTOS = Path(__file__).resolve().parent.parent / "protos"


@cache
def descriptors() -> descriptor_pb2.FileDescriptorSet:
    """Compile the .proto files; the result is shared and must not be changed."""
    names = (path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    sources = sorted(name for name in names if not name.startswith("grpc/"))  # gRPC's own, of which nothing is made
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "all.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"--descriptor_set_out={out}", *sources]
        subprocess.run(command, check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


@cache
def google_classes() -> dict[str, type[Message]]:
    """Give google's class of every message of the package, map entries left out, by its full name."""
    pool = descriptor_pool.DescriptorPool()
    pending = list(descriptors().file)
    known: set[str] = set()
    while pending:  # a pool takes a file only after all that it imports
        ready = [file for file in pending if known.issuperset(file.dependency)]
        for file in ready:
            pool.Add(file)
            known.add(file.name)
            pending.remove(file)
    found: dict[str, type[Message]] = {}
    waiting = [
        pool.FindMessageTypeByName(f"{file.package}.{message.name}")
        for file in descriptors().file
        for message in file.message_type
    ]
    while waiting:
        one = waiting.pop()
        if not one.GetOptions().map_entry:
            found[one.full_name] = message_factory.GetMessageClass(one)
            waiting.extend(one.nested_types)
    return dict(sorted(found.items()))
