"""The table that says who may call what."""

import betterproto2
import pytest
from grpclib.const import Cardinality

from gofer.api.composite import Rpc
from gofer.api.door import Door
from gofer.api.handlers.health import Health
from gofer.api.handlers.reflection import Reflection
from gofer.api.rules import RULES, Needs
from gofer_sdk._proto import proto
from tests.fakes.api import TRUSTING, make_gateway

NAMES_OF_NAMESPACES = {"namespace_id", "namespace"}
HEADS = {"init", "header"}  # of streams of requests


def fields_of(message: type[betterproto2.Message]) -> dict[str, type[betterproto2.Message]]:
    made = message()
    return dict(type(made)._betterproto.cls_by_field)  # type: ignore[arg-type]  # noqa: SLF001 - its own fields' classes


def served() -> set[str]:
    return {*proto.GoferBase().__mapping__(), *(rpc.path for rpc in (*Health().rpcs, *Reflection().rpcs))}


def test_every_call_of_the_api_and_of_health_has_a_row() -> None:
    assert set() == served() - set(RULES)


def test_no_row_is_about_a_call_that_is_none() -> None:
    """A row that has lost its call would open or close the next one of that name unseen."""
    assert set() == set(RULES) - served()


@pytest.mark.parametrize("path", sorted(proto.GoferBase().__mapping__()))
def test_every_row_names_fields_that_its_request_has(path: str) -> None:
    rule = RULES[path]
    if rule.needs is not Needs.NAMESPACE:
        return
    for name in filter(None, (rule.namespace, rule.pipeline)):
        fields = fields_of(proto.GoferBase().__mapping__()[path].request_type)
        *within, last = ([rule.within] if rule.within else []) + name.split(".")
        for each in within:
            fields = fields_of(fields[each])
        assert last in fields


def test_a_call_without_a_row_keeps_the_server_from_starting() -> None:
    rpc = Rpc(
        path="/proto.Gofer/New",
        cardinality=Cardinality.UNARY_UNARY,
        request_type=proto.GetRunRequest,
        reply_type=proto.GetRunResponse,
        method=None,
    )

    with pytest.raises(TypeError, match=r"missing: /proto\.Gofer/New"):
        Door(identify=TRUSTING).check_complete([rpc])
    assert make_gateway().rpcs


@pytest.mark.parametrize("path", sorted(proto.GoferBase().__mapping__()))
def test_every_request_that_names_a_namespace_is_checked(path: str) -> None:
    rule, fields = RULES[path], fields_of(proto.GoferBase().__mapping__()[path].request_type)
    if rule.needs is Needs.MANAGEMENT:
        return
    heads = {name: fields_of(fields[name]) for name in HEADS & set(fields)}
    named = {name for name in fields if name in NAMES_OF_NAMESPACES}
    named |= {name for head in heads.values() for name in head if name in NAMES_OF_NAMESPACES}

    if named:
        assert rule.needs is Needs.NAMESPACE
        assert rule.namespace in named
    if "pipeline_id" in fields or any("pipeline_id" in head for head in heads.values()):
        assert "pipeline_id" == rule.pipeline
