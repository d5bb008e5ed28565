"""The one table from Gofer's errors to gRPC's status codes."""

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.core.errors import ErrorCode, GoferError, InvalidInput

STATUS: Final[Mapping[ErrorCode, Status]] = MappingProxyType(
    {
        ErrorCode.INVALID_INPUT: Status.INVALID_ARGUMENT,
        ErrorCode.NOT_FOUND: Status.NOT_FOUND,
        ErrorCode.ALREADY_EXISTS: Status.ALREADY_EXISTS,
        ErrorCode.FAILED_PRECONDITION: Status.FAILED_PRECONDITION,
        ErrorCode.LIMIT_REACHED: Status.RESOURCE_EXHAUSTED,
        ErrorCode.UNAUTHENTICATED: Status.UNAUTHENTICATED,
        ErrorCode.PERMISSION_DENIED: Status.PERMISSION_DENIED,
        ErrorCode.NOT_IMPLEMENTED: Status.UNIMPLEMENTED,
        ErrorCode.UNAVAILABLE: Status.UNAVAILABLE,
        ErrorCode.INTERNAL: Status.INTERNAL,
    }
)

MOST_BYTES: Final = 4000
"""Of an error's text as it travels. It is a header, and some clients refuse headers of more than 8 KiB in all."""

_MOST_FAULTS: Final = 1000  # to look at: some may be in the text already


def grpc_error(error: GoferError) -> GRPCError:
    """Give the error that the client sees: the status of its code, its text, and every fault of a malformed input."""
    # HTTP/2 wants no spaces at the ends of a header; nothing below takes them away.
    return GRPCError(STATUS[error.code], _fitting(_text(error)).strip(" "))


def _text(error: GoferError) -> str:
    # An error may repeat a request of many megabytes, and this is the event loop: not much beyond what fits is touched.
    text = error.message[: MOST_BYTES + 1]
    if isinstance(error, InvalidInput):
        for fault in islice(error.faults, _MOST_FAULTS):
            if len(text) > MOST_BYTES:
                break
            begin = fault[: MOST_BYTES + 1]
            text += "" if begin in text else f"; {begin}"
    return text[: MOST_BYTES + 1]


def _fitting(text: str) -> str:
    # Characters beyond ASCII travel as several, so that the cut is made where the encoded form is long enough.
    if _size(text) <= MOST_BYTES:
        return text
    end = " ... (there is more)"
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(text[:middle]) <= MOST_BYTES - len(end):
            low = middle
        else:
            high = middle - 1
    return text[:low] + end


def _size(text: str) -> int:
    return len(quote(text, safe=" ", errors="replace"))
