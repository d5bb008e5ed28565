"""Arguments and options that several commands share."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeAlias, TypeVar

import typer

from gofer.cli.parameters import HELP_OPTIONS

Function = TypeVar("Function", bound=Callable[..., object])


def group(help_text: str) -> typer.Typer:
    """Return an empty group of commands; without Rich, whose import would cost as much as the rest of a call."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP_OPTIONS)},
    )


def with_parameters(parameters: Mapping[str, tuple[object, object]]) -> Callable[[Function], Function]:
    """Tell Typer of the parameters of a command that takes too many for one function to list: `ctx` and `options`.

    By their names: what each is, an annotation as Typer reads it, and its value if not given
    (`inspect.Parameter.empty` where it must be).
    """

    def told(function: Function) -> Function:
        kind = inspect.Parameter.KEYWORD_ONLY
        signature = inspect.Signature(
            [
                inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
                *(
                    inspect.Parameter(name, kind, default=default, annotation=annotation)
                    for name, (annotation, default) in parameters.items()
                ),
            ]
        )
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
        return function

    return told


def namespaces_option(meaning: str, *, otherwise: str) -> object:
    """Return the option `--namespaces`, which takes ids and globs; `otherwise` is what it has if not given."""
    return typer.Option(
        "--namespaces",
        "-n",
        metavar="NAMESPACE",
        help=f"{meaning}: ids, or globs such as 'team_*'; several with commas, or given several times.",
        default_factory=lambda: [otherwise],
        show_default=False,
    )


def each_namespace(given: Sequence[str]) -> list[str]:
    """Return the entries of `--namespaces` one by one."""
    return [entry.strip() for text in given for entry in text.split(",") if entry.strip()]


PipelineArgument: TypeAlias = Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline's id.")]
RunArgument: TypeAlias = Annotated[int, typer.Argument(metavar="RUN", min=1, help="The run's number.")]
TaskArgument: TypeAlias = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]
VersionArgument: TypeAlias = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The version's number.")]
LimitOption: TypeAlias = Annotated[int, typer.Option("--limit", "-l", min=1, help="Show at most so many.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
ForceOption: TypeAlias = Annotated[
    bool, typer.Option("--force", "-f", help="Kill at once instead of asking the containers to stop.")
]
VariableOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--variable",
        "-v",
        metavar="KEY=VALUE",
        help="A variable for this run, taken literally; it beats the pipeline's own. May be given several times.",
        default_factory=list,
        show_default=False,
    ),
]
WaitOption: TypeAlias = Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")]
RawOption: TypeAlias = Annotated[
    bool,
    typer.Option("--raw", help="On a terminal, too, print every byte as it is: it may move the cursor, and worse."),
]
NoWaitOption: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="Return as soon as the wish is stored; the server goes on by itself.")
]
