"""The three standard streams as they may be: closed, or without room for what is printed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class OutputLost(Exception):
    """What was to be printed can't be written; the message says why. A reader who has left is BrokenPipeError."""


def open_standard_streams() -> None:
    """Open the null device in the place of each standard stream that is closed: nothing comes of it, or gets lost.

    What is opened later would else take its number, and get what is written to it.
    """
    # Each gets its own number, which is the lowest that is free, as they are opened in their order.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 (open as long as the process)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


@contextmanager
def losses_of(stream: TextIO) -> Iterator[None]:
    """Turn an error of writing to a stream into words.

    Raises:
        OutputLost: there is no room left for it, for instance.
        BrokenPipeError: nobody reads it any more.

    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(stream)
        name = "standard error" if stream is sys.stderr else "standard output"
        raise OutputLost(f"the {name} can't be written: {error.strerror or error}") from error


def forget(stream: TextIO) -> None:
    """Let what can't be written go nowhere; Python would try it once more at its end, and complain."""
    with suppress(OSError, ValueError):  # a stream of a program's own has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
