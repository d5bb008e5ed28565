"""The command line."""

import re
from collections.abc import Iterator
from typing import Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from docs.generators.markdown import code, join, sentences, table
from gofer.cli.arguments import GLOBAL_SWITCHES, GLOBAL_VALUES
from gofer.cli.root import build

Command = TyperCommand | TyperGroup
Parameter = TyperArgument | TyperOption

_EXTRAS: Final = re.compile(r"\s*\[(?P<extras>[^\[\]]*(?:default:|required|x>=)[^\[\]]*)\]\Z")
_PLAIN_TYPES: Final = {" <int range>": " N", " <str>": " TEXT", " <list[str]>": " TEXT"}
_GLOBAL: Final = frozenset({*GLOBAL_VALUES, *GLOBAL_SWITCHES})


def global_options() -> str:
    """Return the table of the options that every command has."""
    root = build()
    options = _options(root, typer.Context(root, info_name="gofer"))
    return join(table(("option", "meaning"), [(left, text) for left, text, name in options if name in _GLOBAL]))


def commands() -> str:
    """Return a section for each command that does something."""
    root = build()
    return join(*_sections(root, typer.Context(root, info_name="gofer"), ("gofer",)))


def command_names() -> tuple[str, ...]:
    """Return the full name of each command that does something."""
    root = build()
    return tuple(" ".join(path) for path, _ in _leaves(root, typer.Context(root, info_name="gofer"), ("gofer",)))


def _leaves(
    command: Command, context: typer.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Command]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name in command.list_commands(context):
        child = command.commands[name]
        if isinstance(child, Command):
            yield from _leaves(child, context, (*path, name))


def _sections(root: Command, context: typer.Context, path: tuple[str, ...]) -> Iterator[str]:
    for place, command in _leaves(root, context, path):
        own = typer.Context(command, info_name=place[-1], parent=context)
        usage = " ".join((*place, *(piece.strip("{}") for piece in command.collect_usage_pieces(own))))
        yield f"## {' '.join(place)}\n\n`{usage.replace('[[', '[').replace(']]', ']')}`"
        yield sentences(command.help or "")
        rows = [(name, text) for name, text, _ in _options(command, own)]
        yield table(("", "meaning"), rows) if rows else ""


def _options(command: Command, context: typer.Context) -> Iterator[tuple[str, str, str]]:
    for parameter in command.params:
        if not isinstance(parameter, Parameter) or parameter.hidden:
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            yield _name(record[0]), _meaning(record[1]), str(parameter.name)


def _name(left: str) -> str:
    for typed, shown in _PLAIN_TYPES.items():
        is_option = left.startswith("-")
        left = left.replace(typed, shown if is_option else "")
    return ", ".join(code(part) for part in left.split(", "))


def _meaning(right: str) -> str:
    found = _EXTRAS.search(right)
    if not found:
        return right
    extras = [_extra(each.strip()) for each in found["extras"].split(";")]
    return " ".join((right[: found.start()], *(extra for extra in extras if extra)))


def _extra(text: str) -> str:
    if text.startswith("default: "):
        return f"Without it: `{text.removeprefix('default: ')}`."
    if text.startswith("x>="):
        return f"At least {text.removeprefix('x>=')}."
    return ""
