"""The API's listener on a free port of this machine, and clients of it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grpclib.client import Channel
from grpclib.config import Configuration

from gofer.api.caller import Call, Identify, LoopbackTrust
from gofer.api.door import Door
from gofer.api.gateway import Gateway
from gofer.api.grpclib_inside import PATIENCE
from gofer.api.handlers.health import Health
from gofer.api.handlers.reflection import Reflection
from gofer.api.server import ApiServer
from gofer.clock import SystemClock
from gofer.config.address import Address
from gofer.core.access import Caller
from gofer.core.errors import Unauthenticated
from gofer.lifecycle import running
from gofer.tls import make_certificate
from gofer_sdk._proto import proto
from gofer_sdk.codec import WireCodec
from tests.fakes.handlers import Scripted, compose

GRACE = timedelta(minutes=1)
FREE_PORT = Address(host="localhost", port=0)
MAX_MESSAGE_BYTES = 3 * 1024 * 1024


async def refuse(call: Call) -> Caller:
    raise Unauthenticated(f"no token opens {call.path} here")


TRUSTING: Identify = LoopbackTrust(others=refuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A listener and a client that is connected to it."""

    server: ApiServer
    gateway: Gateway
    channel: Channel
    stub: proto.GoferStub
    certificate: Path


def make_gateway(*parts: proto.GoferBase, identify: Identify = TRUSTING, patience: timedelta = PATIENCE) -> Gateway:
    return Gateway(
        compose(*parts),
        Health(),
        Reflection(),
        door=Door(identify=identify),
        max_message_bytes=MAX_MESSAGE_BYTES,
        clock=SystemClock(),
        patience=patience,
    )


def make_server(
    gateway: Gateway,
    folder: Path,
    *,
    address: Address = FREE_PORT,
    drain_grace: timedelta = GRACE,
) -> ApiServer:
    certificate = folder / "cert.pem"
    if not certificate.exists():
        certificate.write_bytes(make_certificate(("localhost", "127.0.0.1"), now=datetime.now(UTC)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate)
    return ApiServer(gateway, address=address, tls=context, drain_grace=drain_grace)


@asynccontextmanager
async def served(
    folder: Path,
    scripted: Scripted,
    *,
    identify: Identify = TRUSTING,
    drain_grace: timedelta = GRACE,
    patience: timedelta = PATIENCE,
) -> AsyncIterator[Served]:
    gateway = make_gateway(scripted, identify=identify, patience=patience)
    server = make_server(gateway, folder, drain_grace=drain_grace)
    async with running(server, grace=GRACE), channel_to(server, folder / "cert.pem") as channel:
        yield Served(
            server=server,
            gateway=gateway,
            channel=channel,
            stub=proto.GoferStub(channel),
            certificate=folder / "cert.pem",
        )


@asynccontextmanager
async def channel_to(
    server: ApiServer, certificate: Path, *, config: Configuration | None = None
) -> AsyncIterator[Channel]:
    context = ssl.create_default_context(cafile=str(certificate))
    context.set_alpn_protocols(["h2"])
    channel = Channel("localhost", server.port, ssl=context, codec=WireCodec(), config=config)
    try:
        yield channel
    finally:
        channel.close()
