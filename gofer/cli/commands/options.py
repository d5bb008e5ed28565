"""Arguments and options that several commands share."""

from typing import Annotated, TypeAlias

import typer

from gofer.cli.parameters import HELP_OPTIONS


def group(help_text: str) -> typer.Typer:
    """Return an empty group of commands; without Rich, whose import would cost as much as the rest of a call."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP_OPTIONS)},
    )


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
