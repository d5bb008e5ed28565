"""Where to listen or to call: a host and a port."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host name or IP address and a TCP port; port 0 lets the system choose one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port`, with an IPv6 host in brackets.

        Raises:
            ValueError: the text has another form; the message says which form is meant.

        """
        if "://" in text:
            raise ValueError(f"{text!r} is not host:port; leave out what stands before the host, with its ://")
        host, colon, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if not (colon and host and port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
            raise ValueError(f"{text!r} is not host:port, such as localhost:8080 or [::1]:8080")
        if (":" in host) != bracketed or set(host) & set("[] /"):
            raise ValueError(f"{text!r} is not host:port; write an IPv6 address in brackets, such as [::1]:8080")
        if not (host.isascii() and host.isprintable()):
            raise ValueError(
                f"{text!r} is not host:port; write the host in plain letters, such as xn--bcher-kva.example"
            )
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it: localhost, 127.0.0.0/8 or ::1; other names are not looked up."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
