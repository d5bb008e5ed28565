"""A scripted server with TLS, and a client that tries again at once."""

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gofer_sdk.client import GoferClient, Patience
from tests.fakes.server import FakeServer, certificate

HASTE = Patience(
    call_timeout=timedelta(minutes=1),
    attempts=3,
    first_delay=timedelta(milliseconds=1),
    longest_delay=timedelta(milliseconds=5),
    reconnect_for=timedelta(minutes=1),
)


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")[1]


@pytest.fixture
async def server(server_tls: ssl.SSLContext) -> AsyncIterator[FakeServer]:
    async with FakeServer().running(server_tls) as fake:
        yield fake


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[GoferClient]:
    async with GoferClient(f"127.0.0.1:{server.port}", patience=HASTE) as opened:
        yield opened
