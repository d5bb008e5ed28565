"""Asking people: for a word before what can't be undone, and for what must not stand on a command line."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from gofer.cli.output import Output

if TYPE_CHECKING:
    from gofer_sdk.client import Token


def confirm(output: Output, question: str, *, expected: str, yes: bool) -> None:
    """Ask for a word to be typed before something that can't be undone, unless the answer is `yes` already.

    Raises:
        typer.Exit: nobody can be asked, or something else was typed.

    """
    if yes:
        return
    if not sys.stdin.isatty():
        output.failure(f"{question} Nobody can be asked here: add --yes.")
        raise typer.Exit(2)
    with interruptible():
        output.ask(f"{question} Type {expected} to go on:")
        answer = _line()
    if answer.strip() != expected:
        output.failure("nothing was changed")
        raise typer.Exit(1)


def ask_hidden(output: Output, question: str) -> str:
    """Return what is typed on the terminal without being shown.

    Raises:
        typer.BadParameter: nothing was.

    """
    from getpass import getpass

    try:
        with interruptible():
            return getpass(question, stream=output.stderr)
    except EOFError:
        output.end_question()
        raise typer.BadParameter("nothing was typed, and nothing was changed") from None


def ask_token(output: Output) -> "Token":
    """Return a token: typed without being shown, or the first line of what is piped in.

    Raises:
        typer.BadParameter: there was none, or what there was is none.

    """
    from gofer_sdk.client import Token

    if sys.stdin.isatty():
        text = ask_hidden(output, "Token: ")
    else:
        with interruptible():
            text = _line()
    try:
        token = Token(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not token:
        raise typer.BadParameter("no token was given: name it by its id, or pipe it in")
    return token


def _line() -> str:
    """Return the next line of the standard input; what is no text is no answer, and no token."""
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end what waits for input within the block; asyncio would only note it, and the wait would go on."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # what is ignored, as in a shell's background, stays so
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _is_interrupted():  # just before
            raise KeyboardInterrupt
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _is_interrupted() -> bool:
    import asyncio

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0
