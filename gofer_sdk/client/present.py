"""Parts of an answer that a server always sends."""

from typing import TypeVar

import betterproto2

from gofer_sdk.client.connection import rpc_of
from gofer_sdk.errors import ServerFault

T = TypeVar("T", bound=betterproto2.Message)


def present(part: T | None, request: betterproto2.Message) -> T:
    """Return the part of the answer to a request.

    Raises ServerFault where the server left it out.
    """
    if part is None:
        rpc = rpc_of(request)
        raise ServerFault(f"{rpc}: the server's answer is empty", rpc=rpc)
    return part
