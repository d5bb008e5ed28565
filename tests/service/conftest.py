"""A whole server in the test's own process: real storage, real TLS on loopback, the memory engine."""

import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration

from gofer.app import App, running_app
from gofer.config.address import Address
from gofer.config.settings import (
    DevelopmentSettings,
    ObjectStoreSettings,
    SchedulerSettings,
    SecretStoreSettings,
    ServerSettings,
    Settings,
    SqliteObjectStoreSettings,
    SqliteSecretStoreSettings,
)
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec
from tests.fakes.contract_client import make_modules
from tests.service.secured import Secured, secured

HOST = "127.0.0.1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        dev_mode=True,
        task_run_logs_dir=tmp_path / "data" / "logs",
        task_run_stop_timeout=timedelta(seconds=1),
        development=DevelopmentSettings(bypass_auth=True, use_localhost_tls=True, default_encryption=True),
        scheduler=SchedulerSettings(engine="memory"),
        object_store=ObjectStoreSettings(sqlite=SqliteObjectStoreSettings(path=tmp_path / "data" / "gofer-object.db")),
        secret_store=SecretStoreSettings(sqlite=SqliteSecretStoreSettings(path=tmp_path / "data" / "gofer-secret.db")),
        server=ServerSettings(
            host=Address(host=HOST, port=0),
            address=Address(host=HOST, port=0),
            storage_path=tmp_path / "data" / "gofer.db",
        ),
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with running_app(settings) as running:
        yield running


@pytest.fixture
async def certificate(app: App) -> bytes:
    """The server's certificate, as an administrator hands it to clients."""
    content = (app.settings.data_folder / "server-tls.pem").read_bytes()
    return content[: content.index(b"-----BEGIN PRIVATE KEY")]


@pytest.fixture
async def stub(app: App, certificate: bytes) -> AsyncIterator[proto.GoferStub]:
    """A client of the generated stubs, over TLS."""
    context = ssl.create_default_context(cadata=certificate.decode())
    context.set_alpn_protocols(["h2"])
    channel = Channel(HOST, app.server.port, ssl=context, codec=WireCodec(), config=Configuration())
    try:
        yield proto.GoferStub(channel)
    finally:
        channel.close()


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[Secured]:
    """A server that asks for tokens, as in production, and its first management token."""
    development = replace(settings.development, bypass_auth=False)
    async with running_app(replace(settings, dev_mode=False, development=development)) as app, secured(app) as it:
        yield it


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The messages and the stubs of the 0.6 contract, as google's own tools make them."""
    before = set(sys.modules)
    yield make_modules(tmp_path_factory.mktemp("contract"))
    for name in set(sys.modules) - before:
        if name.startswith("contract"):
            del sys.modules[name]
