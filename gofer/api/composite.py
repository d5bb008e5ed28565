"""One wire service out of many handler objects, each of which owns some of its calls.

The 0.6 contract has a single service of some seventy calls. A handler object is a subclass of the generated base that
overrides the methods of its calls; whose method differs from the base's owns the call. A call without an owner, or with
two, keeps the server from starting.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import betterproto2
from grpclib.const import Cardinality, Handler

from gofer_sdk._proto.proto import GoferBase

_METHOD_PREFIX = "__rpc_"  # of the generated function that a path maps to; the method's name follows


class Service(Protocol):
    """What the generated base class of a service offers, and so every handler object."""

    def __mapping__(self) -> Mapping[str, Handler]:
        """Give the handler of each path."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One call: its path, its messages, and the method that answers it.

    The method takes the request, or for a client stream an async iterator of requests; it gives an awaitable reply, or
    for a server stream an async generator of replies.
    """

    path: str
    cardinality: Cardinality
    request_type: type[betterproto2.Message]
    reply_type: type[betterproto2.Message]
    method: object

    def one_reply(self, request: object) -> Awaitable[betterproto2.Message]:
        """Call the method of a call with one reply."""
        return cast("Callable[[object], Awaitable[betterproto2.Message]]", self.method)(request)

    def many_replies(self, request: object) -> AsyncGenerator[betterproto2.Message, None]:
        """Call the method of a call with a stream of replies."""
        return cast("Callable[[object], AsyncGenerator[betterproto2.Message, None]]", self.method)(request)

    @property
    def name(self) -> str:
        """Give the call's own name, such as `StartRun`."""
        return self.path.rpartition("/")[2]


class Composite:
    """The service `proto.Gofer`, complete."""

    def __init__(self, *parts: GoferBase) -> None:
        """Find the owner of every call among `parts`. Raises `TypeError` naming those without one, or with two."""
        self.rpcs = rpcs_of(GoferBase, parts)


def rpcs_of(base: type[Service], parts: Sequence[Service]) -> tuple[Rpc, ...]:
    """Give every call of the service that `base` was generated for, with its owner's method.

    Raises:
        TypeError: calls have no owner, more than one, or one whose method is of the wrong kind; the message names them.

    """
    rpcs: list[Rpc] = []
    faults: list[str] = []
    for path, handler in base().__mapping__().items():
        name = handler.func.__name__.removeprefix(_METHOD_PREFIX)
        owners = [part for part in parts if getattr(type(part), name) is not getattr(base, name)]
        if len(owners) != 1:
            who = " and ".join(type(owner).__name__ for owner in owners) or "nobody"
            faults.append(f"{path} is answered by {who}")
            continue
        rpc = Rpc(
            path=path,
            cardinality=handler.cardinality,
            request_type=handler.request_type,
            reply_type=handler.reply_type,
            method=getattr(owners[0], name),
        )
        faults.extend(_wrong_kind(rpc))
        rpcs.append(rpc)
    if faults:
        raise TypeError("every call needs exactly one owner: " + "; ".join(faults))
    return tuple(rpcs)


def _wrong_kind(rpc: Rpc) -> Iterator[str]:
    if rpc.cardinality.server_streaming:
        if not inspect.isasyncgenfunction(rpc.method):
            yield f"{rpc.path} needs an async generator"
    elif not inspect.iscoroutinefunction(rpc.method):
        yield f"{rpc.path} needs an async method"
