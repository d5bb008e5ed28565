"""What is done with the command line's words before and beside Typer."""

from collections.abc import Mapping, Sequence
from typing import Final

import typer

GLOBAL_VALUES: Final = frozenset({"--config", "--format", "--namespace", "--host", "--token", "--tls-ca"})
GLOBAL_SWITCHES: Final = frozenset({"--detail", "--no-color"})


def forward_globals(arguments: Sequence[str]) -> list[str]:
    """Move global options to the front, so that they count wherever they were written; what follows `--` stays."""
    moved: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest.extend((word, *words))
        elif word in GLOBAL_SWITCHES or (name in GLOBAL_VALUES and equals):
            moved.append(word)
        elif word in GLOBAL_VALUES:
            value = next(words, None)
            if value is None:
                # In front of a command the option would take the command for its value.
                return [word]
            moved.extend((word, value))
        else:
            rest.append(word)
    return [*moved, *rest]


def read_variables(pairs: Sequence[str]) -> Mapping[str, str]:
    """Read `KEY=VALUE` options; a value may hold anything, further `=` and commas too.

    Raises:
        typer.BadParameter: one has no `=`, an empty key, or a key that was there before.

    """
    variables: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE")
        if key in variables:
            raise typer.BadParameter(f"{key} is given twice")
        variables[key] = value
    return variables
