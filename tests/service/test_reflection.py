"""Clients that were not made for Gofer learn from the server what it speaks, and speak it."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (  # type: ignore[import-untyped]
    ProtoReflectionDescriptorDatabase,
)

from gofer.api.handlers.reflection import DESCRIPTORS, PACKAGES, SERVED
from gofer.app import App
from tests.google_wire import descriptors, google_classes

from grpclib.reflection.v1 import reflection_pb2 as v1  # isort: skip

"""The messages of version 1 as google's protobuf has them, in the place of a client of that version."""


@pytest.fixture
def channel(app: App, certificate: bytes) -> "grpc.Channel":
    credentials = grpc.ssl_channel_credentials(certificate)
    options = [("grpc.ssl_target_name_override", "localhost")]
    return grpc.secure_channel(f"127.0.0.1:{app.server.port}", credentials, options)


def ask(channel: "grpc.Channel", *requests: v1.ServerReflectionRequest, package: str) -> list[object]:
    call = channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=v1.ServerReflectionRequest.SerializeToString,
        response_deserializer=v1.ServerReflectionResponse.FromString,
    )
    return list(call(iter(requests), timeout=60))


async def test_an_unmodified_client_makes_a_call_with_what_reflection_told_it(channel: "grpc.Channel") -> None:
    def learn_and_call() -> tuple[Sequence[str], dict[str, object]]:
        with channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            services = database.get_services()
            service = DescriptorPool(database).FindServiceByName("proto.Gofer")
            method = service.FindMethodByName("GetSystemInfo")
            call = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            return services, json_format.MessageToDict(call(GetMessageClass(method.input_type)()))

    services, info = await asyncio.to_thread(learn_and_call)

    assert sorted(SERVED) == sorted(services)
    assert info["devMode"] is True


async def test_it_describes_every_message_as_the_protos_do(channel: "grpc.Channel") -> None:
    def learn() -> dict[str, list[str]]:
        with channel:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            return {
                name: [field.name for field in pool.FindMessageTypeByName(name).fields] for name in google_classes()
            }

    expected = {name: [field.name for field in each.DESCRIPTOR.fields] for name, each in google_classes().items()}

    assert expected == await asyncio.to_thread(learn)


@pytest.mark.parametrize("package", PACKAGES)
async def test_both_versions_give_a_file_with_what_it_imports_and_nothing_twice(
    channel: "grpc.Channel", package: str
) -> None:
    requests = [
        v1.ServerReflectionRequest(host="here", file_containing_symbol="proto.UserPipelineConfig.id"),
        v1.ServerReflectionRequest(file_by_filename="messages/pipelines.proto"),
        v1.ServerReflectionRequest(file_containing_symbol=f"{package}.ServerReflection"),
        v1.ServerReflectionRequest(all_extension_numbers_of_type="proto.Run"),
    ]

    def learn() -> list[object]:
        with channel:
            return ask(channel, *requests, package=package)

    first, second, third, fourth = await asyncio.to_thread(learn)

    def names(reply: object) -> list[str]:
        files = reply.file_descriptor_response.file_descriptor_proto  # type: ignore[attr-defined]
        return [FileDescriptorProto.FromString(file).name for file in files]

    assert names(first) == ["messages/programs.proto", "messages/common.proto"]
    assert (first.valid_host, first.original_request) == ("here", requests[0])  # type: ignore[attr-defined]
    assert names(second) == ["messages/pipelines.proto", "messages/events.proto"]
    assert names(third) == [f"{package.replace('.', '/')}/reflection.proto"]
    assert fourth.all_extension_numbers_response.base_type_name == "proto.Run"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("request_fields", "code", "words"),
    [
        ({"file_containing_symbol": "proto.Nobody"}, 5, "there is no 'proto.Nobody' here"),
        ({"file_by_filename": "../etc/passwd"}, 5, "there is no '../etc/passwd' here"),
        ({"all_extension_numbers_of_type": "proto.Nobody"}, 5, "there is no 'proto.Nobody' here"),
        ({"file_containing_extension": {"containing_type": "proto.Run", "extension_number": 5}}, 5, "no extension 5"),
        ({}, 3, "the request asks for nothing"),
    ],
)
async def test_what_is_not_there_is_told_and_the_stream_goes_on(
    channel: "grpc.Channel", request_fields: dict[str, object], code: int, words: str
) -> None:
    bad = json_format.ParseDict(request_fields, v1.ServerReflectionRequest())

    def learn() -> list[object]:
        with channel:
            return ask(channel, bad, v1.ServerReflectionRequest(list_services=""), package=PACKAGES[0])

    refused, listed = await asyncio.to_thread(learn)

    assert refused.error_response.error_code == code  # type: ignore[attr-defined]
    assert words in refused.error_response.error_message  # type: ignore[attr-defined]
    assert len(listed.list_services_response.service) == len(SERVED)  # type: ignore[attr-defined]


def test_what_it_tells_is_what_the_protos_say() -> None:
    from gofer_sdk._proto.descriptors import FILES

    compiled = {file.name: file for file in descriptors().file}

    assert compiled == {
        name: FileDescriptorProto.FromString(data) for name, data in FILES.items() if not name.startswith("grpc/")
    }


def test_nothing_of_it_is_loaded_before_it_is_asked() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, gofer.app; print({DESCRIPTORS!r} in sys.modules, 'google.protobuf' in sys.modules)",
        ],
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout.split() == ["False", "False"]
