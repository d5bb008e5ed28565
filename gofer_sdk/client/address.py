"""Where a server is, as people write it."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

DEFAULT_PORT: Final = 443
"""Of a host that is given without one."""

_MAX_PORT: Final = 65535
_UNVERIFIED: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """A host name or IP address, and a TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.

        Raises ValueError, naming the forms, for anything else.
        """
        host, port = text.strip(), str(DEFAULT_PORT)
        if not _is_ipv6(host):
            before, colon, after = host.rpartition(":")
            if colon and not after.endswith("]"):
                host, port = before, after
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        is_name = host and not set(host) & set("[]:/ @")
        if not (is_name or _is_ipv6(host)) or not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
            raise ValueError(f"{text!r} is no server: write host:port, such as localhost:8080, or [::1]:8080")
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_verified(self) -> bool:
        """Whether the certificate must verify: everywhere but on localhost, 127.0.0.1 and ::1."""
        return self.host.lower() not in _UNVERIFIED


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
