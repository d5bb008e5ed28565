"""The RPCs that the contract has and this server does not serve yet; each leaves this list when its noun gets it."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, TypeVar

from gofer.core.errors import NotImplementedYet
from gofer_sdk._proto import proto

H = TypeVar("H", bound=type[proto.GoferBase])

NOT_DUE: Final = (
    # subscriptions
    "create_pipeline_extension_subscription",
    "list_pipeline_extension_subscriptions",
    "get_pipeline_extension_subscription",
    "enable_pipeline_extension_subscription",
    "disable_pipeline_extension_subscription",
    "delete_pipeline_extension_subscription",
    # extensions
    "get_extension",
    "list_extensions",
    "run_extension_installer",
    "run_pipeline_configurator",
    "install_extension",
    "uninstall_extension",
    "enable_extension",
    "disable_extension",
)


def _refusing(methods: Iterable[str]) -> Callable[[H], H]:
    def add(handlers: H) -> H:
        for method in methods:
            setattr(handlers, method, _refusal(method))
        return handlers

    return add


def _refusal(method: str) -> Callable[..., object]:
    rpc = "".join(word.title() for word in method.split("_"))
    error = f"this server does not serve {rpc} yet; a later version will"

    async def refuse(_self: proto.GoferBase, _message: object) -> object:
        raise NotImplementedYet(error, rpc=rpc)

    async def refuse_stream(_self: proto.GoferBase, _message: object) -> AsyncIterator[object]:
        nothing: tuple[object, ...] = ()
        for each in nothing:  # what makes it a stream
            yield each
        raise NotImplementedYet(error, rpc=rpc)

    return refuse_stream if inspect.isasyncgenfunction(getattr(proto.GoferBase, method)) else refuse


@_refusing(NOT_DUE)
class NotDueHandlers(proto.GoferBase):
    """Owns every RPC of `NOT_DUE` and refuses it with `NotImplementedYet`, by name."""
