import pytest

from gofer.api.composite import Composite, Rpc
from gofer.api.handlers.attachments import AttachmentHandlers
from gofer.api.handlers.events import EventHandlers
from gofer.api.handlers.namespaces import NamespaceHandlers
from gofer.api.handlers.not_due import NOT_DUE, NotDueHandlers
from gofer.api.handlers.objects import ObjectHandlers
from gofer.api.handlers.pipelines import PipelineHandlers
from gofer.api.handlers.runs import RunHandlers
from gofer.api.handlers.secrets import SecretHandlers
from gofer.api.handlers.system import SystemHandlers
from gofer.api.handlers.task_runs import TaskRunHandlers
from gofer.api.handlers.tokens import TokenHandlers
from gofer.core.errors import NotImplementedYet
from gofer_sdk._proto import proto

DUE = (
    AttachmentHandlers,
    EventHandlers,
    NamespaceHandlers,
    ObjectHandlers,
    PipelineHandlers,
    RunHandlers,
    SecretHandlers,
    SystemHandlers,
    TaskRunHandlers,
    TokenHandlers,
)


@pytest.fixture
def rpcs() -> tuple[Rpc, ...]:
    # Who owns what is a matter of the classes: no services are needed to ask.
    return Composite(*(kind.__new__(kind) for kind in DUE), NotDueHandlers()).rpcs


def test_the_handlers_own_every_rpc_between_them(rpcs: tuple[Rpc, ...]) -> None:
    assert len(rpcs) == len(proto.GoferBase().__mapping__())


async def first_reply(rpc: Rpc) -> object:
    request = rpc.request_type()
    if rpc.cardinality.server_streaming:
        return await anext(rpc.many_replies(request))
    return await rpc.one_reply(request)


async def test_each_rpc_that_is_not_due_is_refused_by_its_name(rpcs: tuple[Rpc, ...]) -> None:
    refused = [rpc for rpc in rpcs if isinstance(getattr(rpc.method, "__self__", None), NotDueHandlers)]
    assert len(refused) == len(NOT_DUE)

    for rpc in refused:
        with pytest.raises(NotImplementedYet, match=f"does not serve {rpc.name} yet"):
            await first_reply(rpc)
