"""What a call to a server can raise.

CallFailed
├── InvalidInput          the request is malformed; every fault is in the text (INVALID_ARGUMENT)
├── NotFound              what was named does not exist (NOT_FOUND)
├── AlreadyExists         what was to be made exists (ALREADY_EXISTS)
├── FailedPrecondition    the thing is in the wrong state for this (FAILED_PRECONDITION)
├── LimitReached          a size, count or rate is exceeded (RESOURCE_EXHAUSTED)
├── Unauthenticated       no valid token came with the call (UNAUTHENTICATED)
├── PermissionDenied      the token does not open this (PERMISSION_DENIED)
├── NotServed             the server knows no such call, or not yet (UNIMPLEMENTED)
├── Unavailable           the server can't be reached or is going away; later the same call may succeed (UNAVAILABLE)
│   └── Untrusted         the server's certificate does not verify; later it won't either
├── DeadlineExceeded      no answer came in time; the call may have had its effect (DEADLINE_EXCEEDED)
└── ServerFault           a fault of the server's own, or an answer that is none (every other status)
"""

import ssl
from typing import ClassVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError


class CallFailed(Exception):
    """A call to a server failed.

    Attributes:
        message: the server's own words, or ours where it said nothing.
        rpc: the name of the call, such as GetRun.
        host: the server as the client was told to reach it.
        status: what gRPC calls this kind of failure.

    """

    status: ClassVar[Status] = Status.UNKNOWN

    def __init__(self, message: str, *, rpc: str = "", host: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.rpc = rpc
        self.host = host


class InvalidInput(CallFailed):
    """The request is malformed; the message lists every fault."""

    status = Status.INVALID_ARGUMENT


class NotFound(CallFailed):
    """What was named does not exist."""

    status = Status.NOT_FOUND


class AlreadyExists(CallFailed):
    """What was to be made exists."""

    status = Status.ALREADY_EXISTS


class FailedPrecondition(CallFailed):
    """The thing is in the wrong state for this."""

    status = Status.FAILED_PRECONDITION


class LimitReached(CallFailed):
    """A size, count or rate is exceeded."""

    status = Status.RESOURCE_EXHAUSTED


class Unauthenticated(CallFailed):
    """No valid token came with the call."""

    status = Status.UNAUTHENTICATED


class PermissionDenied(CallFailed):
    """The token is valid, but does not open this."""

    status = Status.PERMISSION_DENIED


class NotServed(CallFailed):
    """The server knows no such call, or does not serve it yet."""

    status = Status.UNIMPLEMENTED


class Unavailable(CallFailed):
    """The server can't be reached, or is going away; later the same call may succeed."""

    status = Status.UNAVAILABLE


class Untrusted(Unavailable):
    """The server's certificate does not verify, so nothing was sent to it."""


class DeadlineExceeded(CallFailed):
    """No answer came in time. Whether the call had its effect is not known."""

    status = Status.DEADLINE_EXCEEDED


class ServerFault(CallFailed):
    """A fault of the server's own, whose message has an id to look for in its log, or an answer that is none."""

    status = Status.INTERNAL


_KINDS = (
    InvalidInput,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    LimitReached,
    Unauthenticated,
    PermissionDenied,
    NotServed,
    Unavailable,
    DeadlineExceeded,
    ServerFault,
)
KIND_BY_STATUS: dict[Status, type[CallFailed]] = {kind.status: kind for kind in _KINDS}
"""The inverse of the server's table. A status that isn't in it is a ServerFault."""


def from_status(error: GRPCError, *, rpc: str, host: str) -> CallFailed:
    """Return the typed form of an answer that is not OK."""
    kind = KIND_BY_STATUS.get(error.status, ServerFault)
    if kind is DeadlineExceeded and not error.message:  # the server gives up at the same moment, and may be the first
        return from_timeout(rpc=rpc, host=host)
    return kind(error.message or f"{rpc}: the server answered {error.status.name}", rpc=rpc, host=host)


def from_timeout(*, rpc: str, host: str) -> DeadlineExceeded:
    """Return what an answer that did not come in time is."""
    return DeadlineExceeded(f"{rpc}: no answer from {host} in time", rpc=rpc, host=host)


def from_connection(error: Exception, *, rpc: str, host: str) -> Unavailable:
    """Return the typed form of a connection that can't be made or has broken, naming the host and what to try."""
    match error:
        case ssl.SSLCertVerificationError():
            text = (
                f"the certificate of {host} does not verify ({error.verify_message}):"
                " give the authority that issued it as tls_ca"
            )
            return Untrusted(text, rpc=rpc, host=host)
        case ssl.SSLError():
            why = getattr(error, "reason", None) or error  # Python's own SSLErrors have none
            text = f"{host} does not speak TLS as a Gofer server does ({why}): is it the right port?"
        case ConnectionRefusedError():
            text = f"nothing listens at {host}: is the server running?"
        case OSError():
            text = f"{host} can't be reached: {error.strerror or error}"
        case _:
            text = f"the connection to {host} was lost: {error}"
    return Unavailable(text, rpc=rpc, host=host)
