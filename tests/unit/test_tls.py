import asyncio
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gofer.config.address import Address
from gofer.config.settings import DevelopmentSettings, ServerSettings, Settings
from gofer.core.errors import FailedPrecondition
from gofer.tls import ALWAYS_NAMED, OWN_CERTIFICATE, make_certificate, server_context

NOW = datetime.now(UTC)


def settings(folder: Path, *, callback: str = "172.17.0.1") -> Settings:
    return Settings(
        dev_mode=True,
        development=DevelopmentSettings(use_localhost_tls=True),
        server=ServerSettings(storage_path=folder / "gofer.db", address=Address(host=callback, port=8080)),
    )


def own(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / OWN_CERTIFICATE).read_bytes())


async def handshake(context: ssl.SSLContext, *, trusted: Path, host: str) -> str | None:
    """Connect as a client that verifies, and give the protocol that was agreed on."""
    client = ssl.create_default_context(cafile=str(trusted))
    client.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        await writer.wait_closed()
    return str(agreed)


@pytest.mark.parametrize("host", [*ALWAYS_NAMED, "172.17.0.1"])
async def test_a_client_that_trusts_the_own_certificate_verifies_every_name_of_it(tmp_path: Path, host: str) -> None:
    context = server_context(settings(tmp_path), now=NOW)

    assert await handshake(context, trusted=tmp_path / OWN_CERTIFICATE, host=host) == "h2"


async def test_another_name_is_refused_by_the_client(tmp_path: Path) -> None:
    context = server_context(settings(tmp_path), now=NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(context, trusted=tmp_path / OWN_CERTIFICATE, host="example.org")


def test_the_own_certificate_is_kept_private_and_used_again(tmp_path: Path) -> None:
    server_context(settings(tmp_path), now=NOW)
    first = own(tmp_path)
    server_context(settings(tmp_path), now=NOW + timedelta(days=300))

    assert first == own(tmp_path)
    assert stat.S_IMODE((tmp_path / OWN_CERTIFICATE).stat().st_mode) == 0o600


@pytest.mark.parametrize("now", [NOW + timedelta(days=340), NOW - timedelta(days=2)])
def test_one_that_ends_soon_or_has_not_begun_is_made_anew(tmp_path: Path, now: datetime) -> None:
    server_context(settings(tmp_path), now=NOW)
    first = own(tmp_path)
    server_context(settings(tmp_path), now=now)

    assert first != own(tmp_path)


def test_one_with_other_names_is_made_anew(tmp_path: Path) -> None:
    server_context(settings(tmp_path), now=NOW)
    server_context(settings(tmp_path, callback="gateway.internal"), now=NOW)

    names = own(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "gateway.internal"]


def test_a_broken_one_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / OWN_CERTIFICATE).write_text("-----BEGIN CERTIFICATE-----\nbroken")

    server_context(settings(tmp_path), now=NOW)

    assert own(tmp_path).not_valid_after_utc > NOW


def files(folder: Path, certificate: bytes, key: bytes | None = None) -> Settings:
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(certificate if key is None else key)
    base = settings(folder)
    paths = replace(base.server, tls_cert_path=str(folder / "cert.pem"), tls_key_path=str(folder / "key.pem"))
    return replace(base, server=paths)


async def test_certificates_from_files_are_used_even_in_dev_mode(tmp_path: Path) -> None:
    context = server_context(files(tmp_path, make_certificate(("example.org",), now=NOW)), now=NOW)

    assert await handshake(context, trusted=tmp_path / "cert.pem", host="example.org") == "h2"
    assert not (tmp_path / OWN_CERTIFICATE).exists()


def test_files_that_can_not_be_used_are_refused_by_name_and_reason(tmp_path: Path) -> None:
    one = make_certificate(("a",), now=NOW)
    other = make_certificate(("a",), now=NOW)
    locked = serialization.load_pem_private_key(one, password=None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )

    with pytest.raises(FailedPrecondition, match=r"cert\.pem.*key\.pem.*does not belong"):
        server_context(files(tmp_path, one, other), now=NOW)
    with pytest.raises(FailedPrecondition, match=r"cert\.pem.*can't be used"):
        server_context(files(tmp_path, b"poem"), now=NOW)
    with pytest.raises(FailedPrecondition, match=r"key\.pem is protected by a password"):
        server_context(files(tmp_path, one, locked), now=NOW)
    missing = files(tmp_path, one)
    (tmp_path / "key.pem").unlink()
    with pytest.raises(FailedPrecondition, match=r"no file .*key\.pem"):
        server_context(missing, now=NOW)


def test_without_files_and_without_leave_to_make_one_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="no certificate"):
        server_context(replace(settings(tmp_path), development=DevelopmentSettings()), now=NOW)
