"""The client's side of TLS."""

import ssl
from pathlib import Path

PEM_START = "-----BEGIN"


def tls_context(tls_ca: str | Path | None, *, verified: bool) -> ssl.SSLContext:
    """Return what a connection to a server needs.

    `tls_ca` is a file of certificates in PEM, or the PEM text itself; they are then the only authorities. None means
    those that this machine trusts. Without `verified` any certificate will do and `tls_ca` is not read. Reads files, so
    call it in a thread. Raises ValueError where `tls_ca` holds no certificate, OSError where it can't be read.
    """
    if not verified:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls_ca is None:
        context = ssl.create_default_context()
    else:
        context = _trusting(tls_ca)
    context.set_alpn_protocols(["h2"])
    return context


def _trusting(tls_ca: str | Path) -> ssl.SSLContext:
    is_text = isinstance(tls_ca, str) and tls_ca.lstrip().startswith(PEM_START)
    try:
        context = ssl.create_default_context(
            cafile=None if is_text else str(tls_ca), cadata=str(tls_ca) if is_text else None
        )
        # The server's own certificate will do, also where another authority has issued it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
    except ssl.SSLError as fault:
        place = "the given text" if is_text else str(tls_ca)
        raise ValueError(f"tls_ca: {place} holds no certificate in PEM form ({fault.reason or fault})") from fault
    except OSError as fault:  # which does not name the file
        raise OSError(fault.errno, f"tls_ca: {fault.strerror}", str(tls_ca)) from fault
