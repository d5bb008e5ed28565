"""The one bridge from Typer's world to asyncio's, and from errors to exit statuses."""

import functools
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Concatenate, Final, ParamSpec, cast

import typer

from gofer.cli.context import CliContext, cli_of
from gofer.cli.streams import OutputLost
from gofer.core.errors import GoferError

P = ParamSpec("P")

TRACEBACK_VARIABLE = "GOFER_CLI_TRACEBACK"
"""Set it to have a failure of the command line's own shown with its traceback."""


class ExitStatus(IntEnum):
    """What a command's exit status means. 130, for an interrupt, is Typer's own."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    FORBIDDEN = 4
    UNREACHABLE = 5
    CHANGES = 10


_MENDING: Final = {
    ExitStatus.FORBIDDEN: "gofer context tells who you are here; gofer service token create makes another token",
    ExitStatus.UNREACHABLE: "gofer doctor looks for what is wrong; gofer service start --dev-mode starts a server here",
}
"""What to try where the error is not the server's to explain. All that is not found names its own list."""
_TRUST: Final = (
    "--tls-ca PATH trusts the certificates in that file, and GOFER_CLI_TLS_CA always; gofer doctor tells more"
)


def command(
    function: Callable[Concatenate[typer.Context, P], Coroutine[object, object, None]],
) -> Callable[Concatenate[typer.Context, P], None]:
    """Make an asynchronous function a command: it is run to its end, and its errors become words and a status."""

    def run(ctx: typer.Context, *args: P.args, **kwargs: P.kwargs) -> None:
        import asyncio

        with errors_told(cli_of(ctx)):
            asyncio.run(function(ctx, *args, **kwargs))

    functools.update_wrapper(run, function)
    # Typer passes the context by its name, which a Concatenate cannot say.
    return cast("Callable[Concatenate[typer.Context, P], None]", run)


@contextmanager
def errors_told(cli: CliContext) -> Iterator[None]:
    """Turn an error of the block into one line on the standard error and an exit status.

    Raises:
        typer.Exit: there was one.

    """
    try:
        yield
    except GoferError as error:  # the settings, before any call
        cli.output.failure(error.message)
        raise typer.Exit(ExitStatus.USAGE) from error
    except Exception as error:
        failure = _first_of(error)
        told = _told(failure)
        if told is None and failure is error:
            raise
        if told is None:  # out of the group, in which Typer would not know it
            raise failure from error
        text, status = told
        cli.output.failure(text)
        hint = _hint_for(failure, status)
        if hint:
            cli.output.hint(hint)
        raise typer.Exit(status) from error


def _hint_for(error: Exception, status: ExitStatus) -> str:
    from gofer_sdk.errors import Untrusted

    return _TRUST if isinstance(error, Untrusted) else _MENDING.get(status, "")


def _first_of(error: Exception) -> Exception:
    """Return what began it: of errors that happened together the first."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(error: Exception) -> tuple[str, ExitStatus] | None:
    """Return the words for an error and the exit status; None for what is Typer's or the system's to handle."""
    # Typer's own errors and a closed pipe say by themselves how they end.
    if type(error).__module__.startswith("typer.") or isinstance(error, BrokenPipeError):
        return None
    from gofer_sdk import errors

    match error:
        case OutputLost():
            return str(error), ExitStatus.FAILED
        case errors.NotFound():
            return error.message, ExitStatus.NOT_FOUND
        case errors.Unauthenticated() | errors.PermissionDenied():
            return error.message, ExitStatus.FORBIDDEN
        case errors.Unavailable() | errors.DeadlineExceeded():
            return error.message, ExitStatus.UNREACHABLE
        case errors.CallFailed():
            return error.message, ExitStatus.FAILED
        case _ if os.environ.get(TRACEBACK_VARIABLE):
            return None
        case _:
            text = f"gofer itself failed: {type(error).__name__}: {error}\n"
            return f"{text}Set {TRACEBACK_VARIABLE}=1 to see where.", ExitStatus.FAILED
