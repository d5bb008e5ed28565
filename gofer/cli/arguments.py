"""What is done with the command line's words before and beside Typer."""

from collections.abc import Mapping, Sequence
from typing import Final

import typer

GLOBAL_VALUES: Final[Mapping[str, tuple[str, str]]] = {
    "config": ("PATH", "The configuration file; left to itself ~/.gofer.hcl or ~/.config/gofer.hcl."),
    "format": ("pretty|json|silent", "How to print: for people, for programs, not at all."),
    "namespace": ("ID", "The namespace; without one the server chooses."),
    "host": ("HOST[:PORT]", "The server; without a port it is 443."),
    "token": ("TOKEN", "Opens the server's API."),
    "tls_ca": ("PATH", "Trust the certificates in this PEM file instead of this machine's authorities."),
}
"""The global options with a value: what stands for the value in the help, and the help."""

GLOBAL_SWITCHES: Final[Mapping[str, str]] = {
    "detail": "Show exact times, too.",
    "no_color": "Use no colours.",
}
"""The global options without a value, and their help."""


def flag_of(name: str) -> str:
    """Return how an option is written."""
    return f"--{name.replace('_', '-')}"


_VALUES: Final = frozenset(map(flag_of, GLOBAL_VALUES))
_SWITCHES: Final = frozenset(map(flag_of, GLOBAL_SWITCHES))


def forward_globals(arguments: Sequence[str]) -> list[str]:
    """Move global options to the front, so that they count wherever they were written; what follows `--` stays.

    `help COMMAND`, as 0.6 has it, becomes `COMMAND --help`.
    """
    if list(arguments[:1]) == ["help"]:
        arguments = [*arguments[1:], "--help"]
    moved: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest.extend((word, *words))
        elif word in _SWITCHES or (name in _VALUES and equals):
            moved.append(word)
        elif word in _VALUES:
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
