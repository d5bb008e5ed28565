"""Who calls. Handlers get the message only, so the caller travels beside it, from the gateway to the service."""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from gofer.clock import Clock
from gofer.core.access import Caller
from gofer.core.errors import Unauthenticated
from gofer.services.known_tokens import KnownTokens
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_caller: Final[ContextVar[Caller]] = ContextVar("caller")
_BEARER: Final = re.compile(r"(?i:bearer) ([\x21-\x7e]{1,512})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call before its request is read."""

    path: str
    request_id: str
    peer: str | None  # the client's IP address; None where there is no network between
    accepted_on: str | None = None  # this machine's IP address that the connection came to; None as above
    authorization: tuple[str, ...] = field(default=(), repr=False)  # every such metadata value, as it was sent

    @property
    def is_local(self) -> bool:
        """Whether the connection was accepted on the loopback interface, from this machine."""
        return all(address is not None and _is_loopback(address) for address in (self.peer, self.accepted_on))


@lru_cache(maxsize=256)
def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCheck:
    """Finds the caller of a call by the token that came with it. It is an `Identify`."""

    database: Database[Unit]
    known: KnownTokens
    clock: Clock

    async def __call__(self, call: Call) -> Caller:
        """Give whose token it is.

        Raises `Unauthenticated`, telling what is wrong: no token, a malformed header, an unknown, expired or disabled
        token.
        """
        token = await self.known.find(self.database, token_text(call))
        if token is None:
            raise Unauthenticated("your token is not known to this server: it never was, or it was deleted")
        refused = token.why_refused(self.clock.now())
        if refused is not None:
            raise Unauthenticated(refused)
        return token.caller(is_local=call.is_local)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackTrust:
    """For dev mode: lets calls on the loopback interface in, whatever token came along. It is an `Identify`.

    But for the token of a task run, which opens what it opens everywhere: a task can do with it in dev mode what it
    can do in production, and no more.
    """

    others: Identify

    async def __call__(self, call: Call) -> Caller:
        """Give the caller; `others` decides on calls from elsewhere."""
        if not call.is_local:
            return await self.others(call)
        if call.authorization:
            with suppress(Unauthenticated):
                known = await self.others(call)
                if known.pipeline is not None:
                    return known
        return Caller(name="dev mode", is_admin=True, is_local=True)


def token_text(call: Call) -> str:
    """Give the token that came with a call. Raises `Unauthenticated` for none, for several, and for another scheme."""
    if all(value.strip().lower() in {"", "bearer"} for value in call.authorization):
        raise Unauthenticated(
            "a token is missing: send it as metadata `authorization: Bearer TOKEN`; "
            "the command line takes it from GOFER_CLI_TOKEN or its configuration file"
        )
    found = _BEARER.fullmatch(call.authorization[0])
    if found is None or len(call.authorization) > 1:
        raise Unauthenticated("the authorization is malformed: it must be `Bearer`, one space, and the token, once")
    return found[1]
