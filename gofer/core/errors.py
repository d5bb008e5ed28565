"""The errors that cross a layer of Gofer.

GoferError
├── InvalidInput            the caller sent something malformed
├── NotFound                what was named does not exist
├── AlreadyExists           what was to be made exists
├── FailedPrecondition      the thing is in the wrong state for this
│   ├── IllegalTransition   a state machine has no such transition
│   ├── PipelineDisabled    runs of this pipeline may not start
│   ├── NoKey               what is stored under encryption can't be opened
│   └── NotDueYet           a feature that fails closed until its parts exist
├── LimitReached            a size, count or rate is exceeded
├── Unauthenticated         no valid token came with the call
├── PermissionDenied        the token does not open this
├── NotImplementedYet       the API names the call, this server does not serve it
├── Unavailable             try again later
│   ├── EngineUnavailable   an engine can't be reached
│   ├── OutcomeUnknown      a change may be stored, or not
│   └── ShuttingDown        the server is going away
└── InternalError           a fault of ours; its text never reaches a client
"""

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Names that clients and the status table use; never renamed."""

    INVALID_INPUT = "invalid_input"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    FAILED_PRECONDITION = "failed_precondition"
    LIMIT_REACHED = "limit_reached"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    NOT_IMPLEMENTED = "not_implemented"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class GoferError(Exception):
    """An error with a code for programs, a sentence for people, and ids as fields."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, **details: str | int) -> None:
        """Keep the sentence and the ids that it is about."""
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(GoferError):
    """A field is missing or malformed. `faults` lists every fault found, one sentence each."""

    code = ErrorCode.INVALID_INPUT

    def __init__(self, message: str, *, faults: tuple[str, ...] = (), **details: str | int) -> None:
        """Keep all faults, so that the caller can mend them in one go."""
        super().__init__(message, **details)
        self.faults = faults or (message,)


class NotFound(GoferError):
    """What was named does not exist."""

    code = ErrorCode.NOT_FOUND


class AlreadyExists(GoferError):
    """What was to be made exists."""

    code = ErrorCode.ALREADY_EXISTS


class FailedPrecondition(GoferError):
    """The thing is in the wrong state for this."""

    code = ErrorCode.FAILED_PRECONDITION


class IllegalTransition(FailedPrecondition):
    """A state machine has no transition for this signal in this state."""


class PipelineDisabled(FailedPrecondition):
    """The pipeline is disabled, so that no run of it may start."""


class NoKey(FailedPrecondition):
    """No encryption key of this server opens what is stored; with the right one it would."""


class NotDueYet(FailedPrecondition):
    """A feature whose parts this server does not have yet; it fails closed."""


class LimitReached(GoferError):
    """A size, a count or a rate is exceeded."""

    code = ErrorCode.LIMIT_REACHED


class Unauthenticated(GoferError):
    """No valid token came with the call."""

    code = ErrorCode.UNAUTHENTICATED


class PermissionDenied(GoferError):
    """The caller is known, but may not do this."""

    code = ErrorCode.PERMISSION_DENIED


class NotImplementedYet(GoferError):
    """The API names this call, and this server does not serve it yet."""

    code = ErrorCode.NOT_IMPLEMENTED


class Unavailable(GoferError):
    """The thing can't be had now; the same call may succeed later."""

    code = ErrorCode.UNAVAILABLE


class EngineUnavailable(Unavailable):
    """An engine can't be reached, or its reply was lost; nothing is known about the outcome."""


class OutcomeUnknown(Unavailable):
    """Whether the change was stored is not known, and is seen at the next start of the server at the latest."""


class ShuttingDown(Unavailable):
    """The server is going away."""


class InternalError(GoferError):
    """A fault of ours."""

    code = ErrorCode.INTERNAL


class Unreadable(InternalError):
    """What is stored is not what was written; reading it again gives the same."""
