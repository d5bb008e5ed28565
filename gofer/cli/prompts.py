"""Asking for what must not stand on a command line, where other users of the machine can read it."""

import sys
from typing import TYPE_CHECKING

import typer

from gofer.cli.output import Output

if TYPE_CHECKING:
    from gofer_sdk.client import Token


def ask_token(output: Output) -> "Token":
    """Return a token: typed without being shown, or the first line of what is piped in.

    Raises:
        typer.BadParameter: there was none, or what there was is none.

    """
    from getpass import getpass

    from gofer_sdk.client import Token

    text = getpass("Token: ", stream=output.stderr) if sys.stdin.isatty() else sys.stdin.readline()
    try:
        token = Token(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not token:
        raise typer.BadParameter("no token was given: name it by its id, or pipe it in")
    return token
