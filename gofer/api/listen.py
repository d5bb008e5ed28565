"""Listening sockets for an address, all of them or none."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Final

import structlog

from gofer.config.address import Address
from gofer.core.errors import FailedPrecondition

BACKLOG: Final = 256
MOST_CONNECTIONS: Final = 1000
"""Of one listener, those included that have not said a word yet: each of them costs a hundred kilobytes."""
_TRIES: Final = 5  # for a free port that is free on all of a name's addresses
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})  # localhost names ::1 where there is no IPv6
_IDLE_SECONDS: Final = 60
_PROBE_SECONDS: Final = 20
_ANY: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 (compared with, not listened on)
_Place = tuple[socket.AddressFamily, str]

_log = structlog.get_logger(__name__)


class Listener(socket.socket):
    """A listening socket that closes connections at once where it has accepted too many that are open."""

    most_connections = MOST_CONNECTIONS

    def __init__(self, family: socket.AddressFamily) -> None:
        # Named to be TCP: grpclib turns off the delay of small packets only for sockets that say so.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._accepted: set[socket.socket] = set()

    def accept(self) -> tuple[socket.socket, object]:
        """Give the next connection. Raises `ConnectionAbortedError` for one too many."""
        connection, peer = super().accept()
        if len(self._accepted) >= self.most_connections:
            self._accepted = {each for each in self._accepted if each.fileno() >= 0}
        if len(self._accepted) >= self.most_connections:
            connection.close()
            _log.warning("too many connections: a new one is closed", most=self.most_connections)
            raise ConnectionAbortedError
        self._accepted.add(connection)
        return connection, peer


async def listen(address: Address, *, setting: str = "server.host") -> list[Listener]:
    """Open a socket for each of this machine's addresses that the host names, all on the same port.

    `setting` names where the address was given. With port 0 the system chooses one. `FailedPrecondition` if the port is
    taken, may not be used, or the host names no address of this machine.
    """
    places = await _places(address, setting)
    for _ in range(_TRIES):
        try:
            return _bind_all(places, address.port)
        except OSError as error:
            if address.port == 0 and error.errno == errno.EADDRINUSE:
                continue
            raise FailedPrecondition(_explained(address, error, setting), address=str(address)) from error
    raise FailedPrecondition(f"no port of {address.host} is free", address=str(address))


async def is_covered(address: Address, by: Address) -> bool:
    """Tell whether whoever connects to the address reaches the sockets that `listen(by)` opens."""
    if address.port != by.port:
        return False
    try:
        wanted, bound = await _places(address, "server.address"), await _places(by, "server.host")
    except FailedPrecondition:
        return False
    return all(place in bound or (place[0], _ANY.get(place[0], "")) in bound for place in wanted)


async def _places(address: Address, setting: str) -> list[_Place]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise FailedPrecondition(
            f"{setting} {address.host!r} is not known to this machine: {error.strerror}", address=str(address)
        ) from error
    return list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))


def _bind_all(places: Sequence[_Place], port: int) -> list[Listener]:
    with contextlib.ExitStack() as stack:
        sockets: list[Listener] = []
        for family, host in places:
            listener = _bind_if_present(family, host, port)
            if listener is not None:
                sockets.append(stack.enter_context(listener))
                port = listener.getsockname()[1]
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        stack.pop_all()
        return sockets


def _bind_if_present(family: socket.AddressFamily, host: str, port: int) -> Listener | None:
    try:
        return _bind(family, host, port)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def _bind(family: socket.AddressFamily, host: str, port: int) -> Listener:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(Listener(family))
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        # A port whose last connections are still winding down may be used again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # So that a client whose machine has vanished is noticed; accepted connections inherit it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_SECONDS)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        stack.pop_all()
        return listener


def _explained(address: Address, error: OSError, setting: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{address} is taken by another program: stop that one, or give another {setting}"
        case errno.EACCES:
            return f"{address} may not be used by this user: give {setting} a port from 1024 on"
        case errno.EADDRNOTAVAIL:
            return f"{address.host} is no address of this machine: give another server.host"
        case _:
            return f"can't listen on {address}: {error.strerror}"
