"""A running server takes up another certificate: for new connections, while open ones go on."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from grpclib.const import Cardinality

from gofer.app import App
from gofer.clock import SystemClock
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer.tls import make_certificate
from gofer_sdk._proto import proto
from tests.service.conftest import HOST


def with_certificate(settings: Settings, folder: Path) -> Settings:
    made = make_certificate((HOST,), now=SystemClock().now())
    begin = made.index(b"-----BEGIN PRIVATE KEY")
    certificate, key = folder / "new.crt", folder / "new.key"
    certificate.write_bytes(made[:begin])
    key.write_bytes(made[begin:])
    return replace(settings, server=replace(settings.server, tls_cert_path=str(certificate), tls_key_path=str(key)))


async def shown(app: App) -> tuple[str, str | None]:
    """The certificate that a new connection is shown, and the protocol that it agrees on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(HOST, app.server.port, ssl=context)
    connection = writer.get_extra_info("ssl_object")
    found = ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True)), connection.selected_alpn_protocol()
    writer.close()
    return found


async def test_new_connections_see_the_new_certificate_and_old_streams_go_on(
    app: App, stub: proto.GoferStub, tmp_path: Path
) -> None:
    settings = with_certificate(app.settings, tmp_path)
    before, _ = await shown(app)
    async with stub.channel.request(
        "/proto.Gofer/ListEvents",
        cardinality=Cardinality.UNARY_STREAM,
        request_type=proto.ListEventsRequest,
        reply_type=proto.ListEventsResponse,
    ) as stream:
        await stream.send_message(proto.ListEventsRequest(follow=True), end=True)
        first = await stream.recv_message()

        await app.reload_certificate(settings)
        after, protocol = await shown(app)
        await stub.create_namespace(proto.CreateNamespaceRequest(id="another", name="Another"))
        second = await stream.recv_message()
        await stream.cancel()

    assert before != after
    assert after.split() == (tmp_path / "new.crt").read_text().split()
    assert protocol == "h2"
    assert first is not None
    assert second is not None


async def test_a_bad_file_keeps_the_old_certificate_and_says_so(app: App, tmp_path: Path) -> None:
    settings = with_certificate(app.settings, tmp_path)
    before = await shown(app)
    (tmp_path / "new.key").write_text("no key")

    with pytest.raises(FailedPrecondition, match="can't be used"):
        await app.reload_certificate(settings)

    assert before == await shown(app)


async def test_whoever_trusts_the_new_certificate_only_gets_in(app: App, tmp_path: Path) -> None:
    await app.reload_certificate(with_certificate(app.settings, tmp_path))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "new.crt"))
    trusting.set_alpn_protocols(["h2"])

    _, writer = await asyncio.open_connection(HOST, app.server.port, ssl=trusting)
    writer.close()
