"""Calls of a client, each beside what it asks a server for and what comes of the answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import betterproto2
import pytest

from gofer_sdk.client import GoferClient
from tests.fakes.server import FakeServer

Case: TypeAlias = tuple[Callable[[GoferClient], Awaitable[object]], betterproto2.Message, betterproto2.Message, object]
"""What is called, the request that is to go out for it, the server's reply to that, and what is to come of it."""


def each_of(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Have a test run with each `case`, named by its request."""
    return pytest.mark.parametrize("case", cases, ids=[type(request).__name__ for _, request, _, _ in cases])


async def outcome(server: FakeServer, client: GoferClient, case: Case) -> object:
    """Make the call and give what comes of it; its request has gone out, and no other."""
    call, request, reply, _ = case
    server.answer(type(request).__name__.removesuffix("Request"), reply)

    given = await call(client)

    assert [request] == server.requests
    return given
