"""What clients, pipeline authors and extension authors import.

Nothing is loaded before it is asked for: the messages and gRPC take a quarter of a second, and a program that only
writes a pipeline needs neither. Pipelines are in `gofer_sdk.pipeline`.
"""

from importlib import import_module

TYPE_CHECKING = False  # what checkers take for true; importing `typing` for it would be the dearest thing here
if TYPE_CHECKING:
    from gofer_sdk import errors as errors
    from gofer_sdk._proto import proto as proto
    from gofer_sdk.client import EventFilter, GoferClient, LogChunk, Page, Patience, Tail, Token
    from gofer_sdk.errors import CallFailed

__all__ = [
    "CallFailed",
    "EventFilter",
    "GoferClient",
    "LogChunk",
    "Page",
    "Patience",
    "Tail",
    "Token",
    "errors",
    "proto",
]

_HOMES = {
    "CallFailed": "gofer_sdk.errors",
    "EventFilter": "gofer_sdk.client",
    "GoferClient": "gofer_sdk.client",
    "LogChunk": "gofer_sdk.client",
    "Page": "gofer_sdk.client",
    "Patience": "gofer_sdk.client",
    "Tail": "gofer_sdk.client",
    "Token": "gofer_sdk.client",
}
_MODULES = {"errors": "gofer_sdk.errors", "proto": "gofer_sdk._proto.proto"}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'gofer_sdk' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
