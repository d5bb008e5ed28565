"""Who calls. Handlers get the message only, so the caller travels beside it, from the gateway to the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from gofer.core.access import Caller

_caller: Final[ContextVar[Caller]] = ContextVar("caller")


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
