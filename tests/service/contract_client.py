"""Calls of a client that knows the 0.6 contract alone, and a record of what it has called."""

import json
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import grpc  # type: ignore[import-untyped]  # it comes without types
import pytest

from tests.fakes.contract_client import CONTRACT

GOFER = "proto.Gofer"
RPCS: dict[str, dict[str, Any]] = json.loads(CONTRACT.read_text())["services"][GOFER]
FIELDS: dict[str, dict[str, Any]] = json.loads(CONTRACT.read_text())["messages"]
EXTENSION_RPCS = {name for name in RPCS if "Extension" in name} | {"RunPipelineConfigurator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractClient:
    """Calls RPCs by their names with fields of 0.6; `answered` are those that have answered OK."""

    messages: ModuleType
    stub: Any
    token: str = ""
    answered: set[str] = field(default_factory=set)

    def of(self, token: str) -> "ContractClient":
        """Call with another token; what is answered goes into the same record."""
        return replace(self, token=token)

    def request(self, rpc: str, **fields: object) -> Any:  # noqa: ANN401 - made at run time
        """Make the request of `rpc`; a field that the contract hasn't is a ValueError."""
        return getattr(self.messages, RPCS[rpc]["request"].removeprefix("proto."))(**fields)

    def open(self, rpc: str, **fields: object) -> Any:  # noqa: ANN401 - made at run time
        """Begin a call as grpcio does it; nothing is recorded."""
        request: Any = self.request(rpc, **fields)
        metadata = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return getattr(self.stub, rpc)(iter([request]) if RPCS[rpc]["client_streaming"] else request, metadata=metadata)

    async def call(self, rpc: str, **fields: object) -> Any:  # noqa: ANN401 - made at run time
        """Make a unary call and give its reply."""
        reply = await self.open(rpc, **fields)
        self.answered.add(rpc)
        return reply

    async def read(self, rpc: str, **fields: object) -> list[Any]:
        """Read a stream of replies to its end."""
        replies = [reply async for reply in self.open(rpc, **fields)]
        self.answered.add(rpc)
        return replies

    async def refused(self, rpc: str, **fields: object) -> tuple[str, str]:
        """Make a unary call that fails, and give the name of its status and its words."""
        return await refusal(self.open(rpc, **fields))

    async def until(self, kind: str, run: int, *, pipeline: str = "simple") -> dict[str, Any]:
        """Follow all events, as 0.6 does it, to one of `kind` about a run, and give its details."""
        follower = self.open("ListEvents", follow=True)
        async for reply in follower:
            details: dict[str, Any] = json.loads(reply.event.details)
            if (reply.event.type, details.get("pipeline_id"), details.get("run_id")) == (kind, pipeline, run):
                follower.cancel()
                return details
        raise AssertionError(f"the events ended before {kind} of run {run}")


async def refusal(call: Awaitable[object]) -> tuple[str, str]:
    """Await a call that fails, and give the name of its status and its words."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code().name, refused.value.details() or ""


async def first_of(stream: Any) -> object:  # noqa: ANN401 - made at run time
    """Read the first reply of a stream."""
    return await anext(aiter(stream))


def has_all(message: Any, names: Iterable[str]) -> bool:  # noqa: ANN401 - made at run time
    """Tell whether all these nested messages are there, as 0.6 reads them without asking."""
    return all(message.HasField(name) for name in names)
