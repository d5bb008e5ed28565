"""The server's side of TLS: certificates from files, or one of the server's own making for dev mode."""

import ipaddress
import re
import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer.files import read_private_file, write_private_file

OWN_CERTIFICATE: Final = "server-tls.pem"  # certificate and key in one file, so that they are replaced together
LIFETIME: Final = timedelta(days=365)
RENEW_BEFORE: Final = timedelta(days=30)
SOON: Final = timedelta(days=7)
ALWAYS_NAMED: Final = ("localhost", "127.0.0.1", "::1")
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
_BACKDATED: Final = timedelta(hours=1)  # for clients whose clocks are behind


def server_context(settings: Settings, *, now: datetime) -> ssl.SSLContext:
    """Give the context that the API's listeners use: TLS 1.2 or later, ALPN h2.

    With `server.tls_cert_path` the files that the settings name; otherwise dev mode's own certificate, made or renewed
    here. Blocks on the disk. `FailedPrecondition` names the file that can't be used and why.
    """
    if settings.server.tls_cert_path:
        return _context(Path(settings.server.tls_cert_path), Path(settings.server.tls_key_path))
    if not settings.development.use_localhost_tls:
        raise FailedPrecondition("there is no certificate: give server.tls_cert_path and server.tls_key_path")
    path = settings.data_folder / OWN_CERTIFICATE
    names = tuple(dict.fromkeys((*ALWAYS_NAMED, settings.server.host.host, settings.server.address.host)))
    if not _is_fit(read_private_file(path), names, now):
        write_private_file(path, make_certificate(names, now=now))
    return _context(path, path)


class ServerTls:
    """What listeners show to those who connect; replaced as a whole, for new connections only."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._current = context
        self.context = context
        context.sni_callback = self._choose  # called for every handshake, also where no name is asked for

    def replace(self, context: ssl.SSLContext) -> None:
        """Show `context` to those who connect from now on."""
        self._current = context

    def _choose(self, connection: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def check_pair(certificate: str, key: str) -> None:
    """Raise `FailedPrecondition`, which names the file and the reason, unless the two can be used together.

    Blocks on the disk.
    """
    _context(Path(certificate), Path(key))


def certificate_warnings(path: str, *, now: datetime) -> tuple[str, ...]:
    """Tell what clients will object to in a certificate that can be read: that it is over, or not begun."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    except (OSError, ValueError):
        return ()
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < starts:
        return (f"the certificate {path} is not valid before {starts:%Y-%m-%d %H:%M} UTC",)
    if now >= ends:
        return (f"the certificate {path} ended on {ends:%Y-%m-%d %H:%M} UTC: clients refuse it",)
    if now >= ends - SOON:
        return (f"the certificate {path} ends on {ends:%Y-%m-%d %H:%M} UTC: renew it",)
    return ()


def certificates_of(settings: Settings) -> str:
    """Give the certificates that the server shows, in PEM and without their key, for clients to trust.

    Blocks on the disk; `server_context` must have been called.
    """
    path = (
        Path(settings.server.tls_cert_path) if settings.server.tls_cert_path else settings.data_folder / OWN_CERTIFICATE
    )
    return "".join(_CERTIFICATE.findall(path.read_text("ascii", errors="replace")))


def make_certificate(names: tuple[str, ...], *, now: datetime, lifetime: timedelta = LIFETIME) -> bytes:
    """Make a self-signed certificate for host names and IP addresses, and give it and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gofer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])

    def refuse() -> NoReturn:  # else OpenSSL would ask for it on the terminal
        raise FailedPrecondition(f"the key {key} is protected by a password: give one without")

    for path in (certificate, key):
        if not path.is_file():
            raise FailedPrecondition(f"there is no file {path} with a certificate or key", path=str(path))
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
        if reason == "KEY_VALUES_MISMATCH":
            reason = "the key does not belong to the certificate"
        raise FailedPrecondition(
            f"the certificate {certificate} with the key {key} can't be used: {reason}", path=str(certificate)
        ) from error
    return context


def _is_fit(content: bytes | None, names: tuple[str, ...], now: datetime) -> bool:
    if content is None:
        return False
    try:
        certificate = x509.load_pem_x509_certificate(content)
        serialization.load_pem_private_key(content, password=None)
        stored = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return starts <= now < ends - RENEW_BEFORE and set(stored) == {_general_name(name) for name in names}


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
