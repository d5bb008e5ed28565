"""Servers that ask for tokens: who may call them, and how."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from grpclib.client import Channel
from grpclib.config import Configuration

from gofer.app import App
from gofer.core.access import Token, TokenId, TokenKind, parse_patterns
from gofer.sealing import hash_token
from gofer.storage.unit import Unit
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec

T = TypeVar("T")

HOST = "127.0.0.1"
HOURS = "1h"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def opened(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a stream of replies at the end of the block."""
    assert isinstance(stream, AsyncGenerator)
    async with aclosing(stream):
        yield stream


@asynccontextmanager
async def channel_of(app: App, host: str = HOST) -> AsyncIterator[Channel]:
    content = (app.settings.data_folder / "server-tls.pem").read_text()
    context = ssl.create_default_context(cadata=content[: content.index("-----BEGIN PRIVATE KEY")])
    context.set_alpn_protocols(["h2"])
    channel = Channel(host, app.server.port, ssl=context, codec=WireCodec(), config=Configuration())
    try:
        yield channel
    finally:
        channel.close()


def stub_of(channel: Channel, token: str) -> proto.GoferStub:
    return proto.GoferStub(channel, metadata=bearer(token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A server, a connection to it, and its first management token."""

    app: App
    channel: Channel
    management: str

    @property
    def admin(self) -> proto.GoferStub:
        return stub_of(self.channel, self.management)

    def stub(self, token: str) -> proto.GoferStub:
        return stub_of(self.channel, token)

    async def make(
        self, *namespaces: str, kind: proto.CreateTokenRequestKind = proto.CreateTokenRequestKind.CLIENT
    ) -> tuple[str, str]:
        """Make a token and give its text and its id."""
        made = await self.admin.create_token(
            proto.CreateTokenRequest(kind=kind, namespaces=list(namespaces), expires=HOURS)
        )
        assert made.details is not None
        return made.token, made.details.id

    async def client(self, *namespaces: str) -> proto.GoferStub:
        text, _ = await self.make(*namespaces)
        return self.stub(text)

    async def store(self, text: str, *, kind: TokenKind, namespaces: Sequence[str] = (), life: timedelta) -> None:
        """Store a token that no call would make."""

        def write(unit: Unit) -> None:
            token = Token(
                id=TokenId(text[:12]),
                kind=kind,
                namespaces=parse_patterns(namespaces),
                created_at=unit.now,
                expires_at=unit.now + life,
            )
            unit.tokens.insert(token, hash_token(text))

        await self.app.database.write(write)

    async def with_namespaces(self, *namespaces: str) -> None:
        for name in namespaces:
            await self.admin.create_namespace(proto.CreateNamespaceRequest(id=name, name=name))


@asynccontextmanager
async def secured(app: App) -> AsyncIterator[Secured]:
    """Take the first token of a server that is new."""
    async with channel_of(app) as channel:
        made = await proto.GoferStub(channel).bootstrap_token(proto.BootstrapTokenRequest())
        yield Secured(app=app, channel=channel, management=made.token)
