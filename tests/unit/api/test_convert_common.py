import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.api.convert.common import INITIATOR_TYPES, initiator_of, initiator_to_proto, page_of, variables_to_proto
from gofer.core.errors import InvalidInput
from gofer.core.run import Initiator, InitiatorType, Variable, VariableSource
from gofer.storage.page import Page
from gofer_sdk._proto import proto

TEXT = st.text(max_size=10)
INITIATORS = st.builds(Initiator, type=st.sampled_from(InitiatorType), name=TEXT, reason=TEXT)


@given(INITIATORS)
def test_an_initiator_comes_back_from_the_wire(initiator: Initiator) -> None:
    assert initiator_of(initiator_to_proto(initiator)) == initiator


def test_every_type_of_initiator_has_its_own_number() -> None:
    assert set(INITIATOR_TYPES) == set(InitiatorType)
    assert set(INITIATOR_TYPES.values()) == set(proto.InitiatorType)


def test_an_unknown_type_of_initiator_becomes_unknown() -> None:
    message = proto.Initiator(type=proto.InitiatorType(77), name="me")

    assert initiator_of(message) == Initiator(type=InitiatorType.UNKNOWN, name="me")


def test_no_initiator_stays_none() -> None:
    assert initiator_of(None) is None


def test_variables_keep_their_order_and_origin() -> None:
    variables = [
        Variable(key="B", value="1", source=VariableSource.SYSTEM),
        Variable(key="A", value="2", source=VariableSource.RUN_OPTIONS),
    ]

    assert variables_to_proto(variables) == [
        proto.Variable(key="B", value="1", source="SYSTEM"),
        proto.Variable(key="A", value="2", source="RUN_OPTIONS"),
    ]


def test_a_page_is_read_under_the_servers_cap() -> None:
    request = proto.ListRunsRequest(offset=3, limit=500, cursor="abc")

    assert page_of(request, 100) == Page(limit=500, offset=3, cursor="abc", cap=100)


def test_a_negative_page_is_refused() -> None:
    with pytest.raises(InvalidInput, match="offset -1 is negative"):
        page_of(proto.ListTaskRunsRequest(offset=-1), 100)
