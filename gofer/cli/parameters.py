"""Read and explain texts and numbers of the command line without the library that Typer would load for it.

Typer hands every value to pydantic, whose import takes as long as all else before a call. Texts, lists of texts, whole
numbers and flags need none of it; whatever other type a parameter has is left to Typer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

Plain: TypeAlias = str | int

HELP_OPTIONS: Final = ("-h", "--help")
_MOST: Final = (1 << 63) - 1
"""What fits into a message."""
_TYPERS_OWN: Final = frozenset({"install_completion", "show_completion"})
"""`gofer completion` does what these do, and changes no file of the user's."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the values of one parameter, in the place of Typer's own reader."""

    read: Callable[[Plain], Plain]

    def coerce(
        self, value: Plain | Sequence[Plain] | None, param: TyperOption | TyperArgument, ctx: typer.Context
    ) -> Plain | list[Plain] | None:
        """Return the value as the command wants it; a parameter that may be repeated has a list.

        Raises:
            typer.BadParameter: it is not what the parameter takes.

        """
        try:
            if value is None:
                return [] if param.multiple else None
            if isinstance(value, str | int):
                return self.read(value)
            return [self.read(each) for each in value]
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error


def plain_command(app: typer.Typer) -> TyperCommand | TyperGroup:
    """Return the command that an app describes, with its plain parameters read here."""
    root = get_command(app)
    if not isinstance(root, TyperCommand | TyperGroup):
        raise TypeError(f"Typer made a {type(root).__name__}")
    root.params = [parameter for parameter in root.params if parameter.name not in _TYPERS_OWN]
    for command in _commands(root):
        context = typer.Context(command, help_option_names=list(HELP_OPTIONS))
        for parameter in (*command.params, command.get_help_option(context)):
            if isinstance(parameter, TyperOption | TyperArgument):
                _explain(parameter)
                _simplify(parameter)
    return root


def _commands(command: object) -> Iterator[TyperCommand | TyperGroup]:
    if isinstance(command, TyperCommand | TyperGroup):
        yield command
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            yield from _commands(child)


def _explain(parameter: TyperOption | TyperArgument) -> None:
    """Let the help name what a value is in words, instead of the types and ranges of the program."""
    # mypy, here and below: the methods of one parameter are replaced, not those of its class.
    parameter._get_number_range_help_str = lambda: None  # type: ignore[method-assign]  # noqa: SLF001
    if isinstance(parameter, TyperArgument):
        name = parameter.display_name_raw
        usage = name if parameter.required else f"[{name}]"
        parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign]  # noqa: ARG005
        parameter.get_usage_pieces = lambda ctx: [usage]  # type: ignore[method-assign]  # noqa: ARG005
    elif parameter.metavar is None and not parameter.is_flag:
        parameter.metavar = "NUMBER" if parameter.type_descriptor.annotation is int else "TEXT"


def _simplify(parameter: TyperOption | TyperArgument) -> None:
    kind: object = parameter.type_descriptor.annotation
    if kind is int:
        least = parameter.type_descriptor.parameter_info.min
        reader = Reader(lambda value: _number(value, least))
    elif kind in _TEXTS:
        reader = Reader(str)
    elif kind is bool:
        reader = Reader(bool)
    else:
        return
    parameter.get_runtime_param = lambda: reader  # type: ignore[method-assign, assignment, return-value]


_TEXTS: Final = (str, list[str])


def _number(value: Plain, least: float | None) -> int:
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number") from None
    if least is not None and number < least:
        raise ValueError(f"{number} is too small: at least {least}")
    if number > _MOST:
        raise ValueError(f"{number} is too large: at most {_MOST}")
    return number
