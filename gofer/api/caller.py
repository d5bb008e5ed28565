"""Who calls. Handlers get the message only, so the caller travels beside it, from the gateway to the service."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gofer.core.access import Caller
from gofer.core.errors import Unauthenticated

_caller: Final[ContextVar[Caller]] = ContextVar("caller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call before its request is read."""

    path: str
    request_id: str
    peer: str | None  # the client's IP address; None where there is no network between
    authorization: str = field(default="", repr=False)  # the metadata value, empty where there is none


Identify: TypeAlias = Callable[[Call], Awaitable[Caller]]
"""Find the caller of a call. Raises `Unauthenticated` where its credentials are bad or missing."""


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Make `caller` the one who calls, for the length of the block."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def current_caller() -> Caller:
    """Give who calls. `LookupError` outside of a call: no handler is reached without the gateway."""
    return _caller.get()


async def trust_this_machine(call: Call) -> Caller:
    """Let everybody in who calls from this machine, whatever token came along: for dev mode's loopback listener."""
    if call.peer is not None and not ipaddress.ip_address(call.peer.partition("%")[0]).is_loopback:
        raise Unauthenticated("without authentication, calls are taken from this machine only")
    return Caller(name="dev mode", is_admin=True)
