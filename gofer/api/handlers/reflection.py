# ruff: noqa: RUF009 - a field of betterproto2 is a field of a dataclass, made for each class
"""gRPC's own reflection service, versions 1 and 1alpha: it tells clients of every service and message.

What it tells is in a module that is loaded at the first question. The contract has some numbers as int32,
which our codec does not know and which are int64 on the wire all the same.
"""

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import betterproto2
from grpclib.const import Cardinality, Status

from gofer.api.composite import Rpc

PACKAGES: Final = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
SERVICE: Final = "ServerReflection"
METHOD: Final = "ServerReflectionInfo"
SERVED: Final = ("grpc.health.v1.Health", *(f"{package}.{SERVICE}" for package in PACKAGES), "proto.Gofer")
DESCRIPTORS: Final = "gofer_sdk._proto.descriptors"
_CHOICE: Final = "message_request"
_ANSWER: Final = "message_response"


@dataclass(eq=False, repr=False)
class ExtensionRequest(betterproto2.Message):
    """Which extension of a message is meant."""

    containing_type: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    extension_number: int = betterproto2.field(2, betterproto2.TYPE_INT64)


@dataclass(eq=False, repr=False)
class ServerReflectionRequest(betterproto2.Message):
    """One question."""

    host: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    file_by_filename: str | None = betterproto2.field(3, betterproto2.TYPE_STRING, optional=True, group=_CHOICE)
    file_containing_symbol: str | None = betterproto2.field(4, betterproto2.TYPE_STRING, optional=True, group=_CHOICE)
    file_containing_extension: ExtensionRequest | None = betterproto2.field(
        5, betterproto2.TYPE_MESSAGE, optional=True, group=_CHOICE
    )
    all_extension_numbers_of_type: str | None = betterproto2.field(
        6, betterproto2.TYPE_STRING, optional=True, group=_CHOICE
    )
    list_services: str | None = betterproto2.field(7, betterproto2.TYPE_STRING, optional=True, group=_CHOICE)


@dataclass(eq=False, repr=False)
class FileDescriptorResponse(betterproto2.Message):
    """Files, serialized: the one that was asked for, and what it imports."""

    file_descriptor_proto: list[bytes] = betterproto2.field(1, betterproto2.TYPE_BYTES, repeated=True)


@dataclass(eq=False, repr=False)
class ExtensionNumberResponse(betterproto2.Message):
    """The extensions of a message; there are none in proto3."""

    base_type_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    extension_number: list[int] = betterproto2.field(2, betterproto2.TYPE_INT64, repeated=True)


@dataclass(eq=False, repr=False)
class ServiceResponse(betterproto2.Message):
    """A service by its full name."""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class ListServiceResponse(betterproto2.Message):
    """What is served."""

    service: list[ServiceResponse] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class ErrorResponse(betterproto2.Message):
    """Why a question has no answer; the stream goes on."""

    error_code: int = betterproto2.field(1, betterproto2.TYPE_INT64)
    error_message: str = betterproto2.field(2, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class ServerReflectionResponse(betterproto2.Message):
    """One answer."""

    valid_host: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    original_request: ServerReflectionRequest | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)
    file_descriptor_response: FileDescriptorResponse | None = betterproto2.field(
        4, betterproto2.TYPE_MESSAGE, optional=True, group=_ANSWER
    )
    all_extension_numbers_response: ExtensionNumberResponse | None = betterproto2.field(
        5, betterproto2.TYPE_MESSAGE, optional=True, group=_ANSWER
    )
    list_services_response: ListServiceResponse | None = betterproto2.field(
        6, betterproto2.TYPE_MESSAGE, optional=True, group=_ANSWER
    )
    error_response: ErrorResponse | None = betterproto2.field(
        7, betterproto2.TYPE_MESSAGE, optional=True, group=_ANSWER
    )


class Reflection:
    """The service `ServerReflection` in both of its packages, whose messages are the same."""

    def __init__(self) -> None:
        self.rpcs = tuple(
            Rpc(
                path=f"/{package}.{SERVICE}/{METHOD}",
                cardinality=Cardinality.STREAM_STREAM,
                request_type=ServerReflectionRequest,
                reply_type=ServerReflectionResponse,
                method=self.answer,
            )
            for package in PACKAGES
        )

    async def answer(
        self, messages: AsyncIterator[ServerReflectionRequest]
    ) -> AsyncGenerator[ServerReflectionResponse, None]:
        """Answer each question in turn. No file is sent twice on one stream but where it is asked for itself."""
        sent: set[str] = set()
        async for message in messages:
            # A module, so that it is made once and for all apps of the process.
            known = await asyncio.to_thread(importlib.import_module, DESCRIPTORS)
            reply = _answered(message, known, sent)
            reply.valid_host = message.host
            reply.original_request = message
            yield reply


def _answered(message: ServerReflectionRequest, known: ModuleType, sent: set[str]) -> ServerReflectionResponse:
    symbols: dict[str, str] = known.SYMBOLS
    if message.list_services is not None:
        return ServerReflectionResponse(
            list_services_response=ListServiceResponse(service=[ServiceResponse(name=name) for name in SERVED])
        )
    if message.file_by_filename is not None:
        return _file(message.file_by_filename, known, sent, asked=message.file_by_filename)
    if message.file_containing_symbol is not None:
        symbol = message.file_containing_symbol
        return _file(symbols.get(symbol.removeprefix("."), ""), known, sent, asked=symbol)
    if message.file_containing_extension is not None:
        extension = message.file_containing_extension
        return _refused(Status.NOT_FOUND, f"{extension.containing_type} has no extension {extension.extension_number}")
    if message.all_extension_numbers_of_type is not None:
        name = message.all_extension_numbers_of_type
        if name not in symbols:
            return _refused(Status.NOT_FOUND, f"there is no {name!r} here")
        return ServerReflectionResponse(all_extension_numbers_response=ExtensionNumberResponse(base_type_name=name))
    return _refused(Status.INVALID_ARGUMENT, "the request asks for nothing: set one of its fields")


def _file(name: str, known: ModuleType, sent: set[str], *, asked: str) -> ServerReflectionResponse:
    files: dict[str, bytes] = known.FILES
    if name not in files:
        return _refused(Status.NOT_FOUND, f"there is no {asked!r} here")
    names = [name, *(each for each in dict.fromkeys(_imports(name, known)) if each not in sent)]
    sent.update(names)
    return ServerReflectionResponse(
        file_descriptor_response=FileDescriptorResponse(file_descriptor_proto=[files[each] for each in names])
    )


def _imports(name: str, known: ModuleType) -> Iterator[str]:
    imports: Sequence[str] = known.IMPORTS[name]
    for each in imports:
        yield each
        yield from _imports(each, known)


def _refused(status: Status, text: str) -> ServerReflectionResponse:
    return ServerReflectionResponse(error_response=ErrorResponse(error_code=status.value, error_message=text))
