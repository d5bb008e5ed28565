from collections.abc import AsyncIterator

import pytest
from grpclib.const import Cardinality

from gofer.api.composite import Composite
from gofer_sdk._proto import proto
from tests.fakes.handlers import Scripted, compose, rest_of


class Another(proto.GoferBase):
    async def get_pipeline(self, message: proto.GetPipelineRequest) -> proto.GetPipelineResponse:
        return proto.GetPipelineResponse()


def test_every_call_of_the_contract_is_there_with_its_owner() -> None:
    scripted = Scripted()

    rpcs = {rpc.path: rpc for rpc in compose(scripted).rpcs}

    assert rpcs.keys() == proto.GoferBase().__mapping__().keys()
    call = rpcs["/proto.Gofer/GetPipeline"]
    assert call.method == scripted.get_pipeline
    assert call.request_type is proto.GetPipelineRequest
    assert call.reply_type is proto.GetPipelineResponse
    assert call.cardinality is Cardinality.UNARY_UNARY
    assert call.name == "GetPipeline"


def test_a_call_with_two_owners_is_refused_naming_both() -> None:
    with pytest.raises(TypeError, match=r"/proto\.Gofer/GetPipeline is answered by Scripted and Another"):
        Composite(Scripted(), Another(), rest_of(Scripted()))


def test_calls_without_an_owner_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"GetSystemInfo is answered by nobody; .*DeletePipeline is answered by nobody"):
        Composite(Scripted())


def test_a_method_of_the_wrong_kind_is_refused() -> None:
    class Wrong(proto.GoferBase):
        def get_pipeline(self, message: proto.GetPipelineRequest) -> proto.GetPipelineResponse:  # type: ignore[override]
            return proto.GetPipelineResponse()

        def list_events(self, message: proto.ListEventsRequest) -> AsyncIterator[proto.ListEventsResponse]:
            raise NotImplementedError

    with pytest.raises(TypeError) as caught:
        compose(Wrong())

    assert "/proto.Gofer/GetPipeline needs an async method" in str(caught.value)
    assert "/proto.Gofer/ListEvents needs an async generator" in str(caught.value)
