"""What keeps a server from starting with its settings, and what should be said when it starts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gofer.config.paths import lies_open
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings

KEY_BYTES: Final = 32


def why_not_startable(settings: Settings) -> tuple[str, ...]:
    """Give every reason why the server must not start so, each a sentence with its fix; none: it may start."""
    return (*_production(settings), *_certificates(settings), *_keys(settings))


def start_warnings(settings: Settings) -> tuple[str, ...]:
    """Give what the log should say loudly when the server starts."""
    return tuple(_warnings(settings))


def _production(settings: Settings) -> Iterator[str]:
    if settings.dev_mode:
        return
    if settings.development.bypass_auth:
        yield "development.bypass_auth lets everybody in: remove it, or start with --dev-mode"
    if lies_open(settings.server.storage_path):
        yield (
            f"server.storage_path is {settings.server.storage_path}, where every user of this machine may write: "
            "give a path in a folder of Gofer's own, such as /var/lib/gofer/gofer.db"
        )


def _certificates(settings: Settings) -> Iterator[str]:
    server, extensions = settings.server, settings.extensions
    if bool(server.tls_cert_path) != bool(server.tls_key_path):
        yield "server.tls_cert_path and server.tls_key_path belong together: give both"
    elif not server.tls_cert_path and not (settings.dev_mode and settings.development.use_localhost_tls):
        yield "there is no certificate: give server.tls_cert_path and server.tls_key_path (dev mode makes its own)"
    if bool(extensions.tls_cert_path) != bool(extensions.tls_key_path):
        yield "extensions.tls_cert_path and extensions.tls_key_path belong together: give both, or none"
    elif extensions.tls_cert_path and _are_same(extensions.tls_cert_path, server.tls_cert_path):
        yield "extensions.tls_cert_path is the server's own certificate: remove it, extensions get fresh ones"
    elif extensions.tls_key_path and _are_same(extensions.tls_key_path, server.tls_key_path):
        yield "extensions.tls_key_path is the server's own key: remove it, extensions get fresh ones"


def _are_same(one: str, other: str) -> bool:
    return bool(other) and Path(one).resolve() == Path(other).resolve()


def _keys(settings: Settings) -> Iterator[str]:
    store = settings.secret_store.sqlite
    if store.encryption_key == SAMPLE_ENCRYPTION_KEY:
        if not (settings.dev_mode and settings.development.default_encryption):
            yield (
                "secret_store.sqlite.encryption_key is the sample's, which everybody knows: give 32 random characters, "
                "such as the output of: openssl rand -hex 16"
            )
    elif len(store.encryption_key.encode()) != KEY_BYTES:
        yield (
            f"secret_store.sqlite.encryption_key has {len(store.encryption_key.encode())} bytes: "
            f"it must have exactly {KEY_BYTES}"
        )
    if any(len(key.encode()) != KEY_BYTES for key in store.previous_encryption_keys):
        yield f"every one of secret_store.sqlite.previous_encryption_keys must have exactly {KEY_BYTES} bytes"


def _warnings(settings: Settings) -> Iterator[str]:
    if settings.development.bypass_auth:
        yield "authentication is off on the loopback interface: whoever can use this machine may do everything"
    if settings.dev_mode and not settings.server.host.is_loopback:
        yield (
            f"server.host is {settings.server.host}: dev mode is meant for one machine alone; "
            "calls from elsewhere need a token"
        )
    if settings.development.use_localhost_tls and not settings.server.tls_cert_path:
        yield "the server uses a certificate of its own making; clients elsewhere have to be told to trust it"
