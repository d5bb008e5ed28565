"""The server: whether it can be reached and trusted, and whether it and the command line fit together."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gofer import __version__
from gofer.cli.context import CliContext
from gofer.cli.diagnosis.finding import Finding, bad, warning
from gofer.cli.words import relative, time_of
from gofer_sdk import errors
from gofer_sdk.client import Patience, ServerAddress

if TYPE_CHECKING:
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

PATIENCE: Final = Patience(call_timeout=timedelta(seconds=10), attempts=1)
"""Whoever asks what is wrong need not wait for it to mend itself."""
_CLOCKS_MAY_DIFFER: Final = timedelta(seconds=30)
_EXPIRES_SOON: Final = timedelta(days=14)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


async def look_at_server(cli: CliContext, client: "GoferClient") -> "tuple[list[Finding], bool]":
    """Look at the server; also say whether it answers, so that there is more to ask it."""
    asked_at = datetime.now(UTC)
    host = cli.settings.host
    try:
        info = await client.system.info()
    except errors.Untrusted as error:
        mend = (
            "gofer doctor --tls-ca PATH, the file that the server's administrator has for server.tls_cert_path "
            "or for the authority that issued it"
        )
        return [bad("certificate", error.message, mend=mend)], False
    except errors.CallFailed as error:
        local = not ServerAddress.parse(str(host)).is_verified
        mend = (
            "start one: gofer service start --dev-mode, or systemctl start gofer; or name another with --host"
            if local
            else "ask whether it runs; another one is named by --host, GOFER_CLI_HOST or host = in the file"
        )
        return [bad("server", error.message, mend=mend)], False
    version = f"Gofer {info.semver}, {'development' if info.dev_mode else 'production'}"
    findings = [Finding(subject="server", text=f"{host} answers ({version})")]
    findings.extend(_version(info))
    findings.extend([each async for each in _certificate(cli)])
    findings.extend(_clock(info, asked_at))
    findings.append(Finding(subject="engine", text=info.scheduler_engine or "not told"))
    findings.extend(
        warning("server", note, mend="its administrator can: journalctl -u gofer on the server tells more")
        for note in info.notes
    )
    return findings, True


def _version(info: "proto.GetSystemInfoResponse") -> Iterator[Finding]:
    own, its = _VERSION.match(__version__), _VERSION.match(info.semver)
    if own and its and own.groups() == its.groups():
        return
    yield warning(
        "version",
        f"this command line is {__version__}, the server {info.semver}: one may not know all that the other does",
        mend=f"pip install gofer=={info.semver}, or update the server",
    )


async def _certificate(cli: CliContext) -> AsyncIterator[Finding]:
    from gofer_sdk.client.tls import tls_context

    settings = cli.settings
    address = ServerAddress.parse(str(settings.host))
    subject = "certificate"
    expires_at = None
    context = await asyncio.to_thread(tls_context, settings.tls_ca, verified=address.is_verified)
    with suppress(OSError, ssl.SSLError, ValueError):
        expires_at = await _expiry(address, context)
    if expires_at is None:
        return
    now = datetime.now(UTC)
    words = relative(expires_at - now)
    if expires_at <= now + _EXPIRES_SOON:
        yield warning(
            subject,
            f"it {'expired' if expires_at <= now else 'expires'} {words}",
            mend="its administrator puts a new one into server.tls_cert_path, and then: systemctl reload gofer",
        )
    elif address.is_verified:
        yield Finding(subject=subject, text=f"it verifies, and expires {words}")
    else:
        yield Finding(subject=subject, text=f"it is not verified on {address.host}, and expires {words}")


async def _expiry(address: ServerAddress, context: ssl.SSLContext) -> datetime | None:
    """Return when the server's certificate expires. Raises OSError, ValueError."""
    from cryptography import x509

    async with asyncio.timeout(PATIENCE.call_timeout.total_seconds()):
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    try:
        connection = writer.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc if certificate else None


def _clock(info: "proto.GetSystemInfoResponse", asked_at: datetime) -> Iterator[Finding]:
    its = time_of(info.server_time)
    if its is None:
        return
    now = datetime.now(UTC)
    # It was told at some moment between the question and now.
    ahead = its - now if its > now else asked_at - its if its < asked_at else timedelta()
    if ahead <= _CLOCKS_MAY_DIFFER:
        yield Finding(subject="clock", text="this machine's and the server's agree")
        return
    yield warning(
        "clock",
        f"the server's is {int(ahead.total_seconds())} seconds {'ahead' if its > now else 'behind'}: "
        "expiry and times are the server's",
        mend="timedatectl set-ntp true, on whichever is wrong",
    )
