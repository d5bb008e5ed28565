"""The root command: the global options, and all groups of commands."""

import inspect
from collections.abc import Iterator
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from gofer import __version__
from gofer.cli.arguments import GLOBAL_SWITCHES, GLOBAL_VALUES, flag_of
from gofer.cli.commands import event, namespace, pipeline, run, secret, service, task_run
from gofer.cli.commands.completion import completion
from gofer.cli.commands.context import context
from gofer.cli.commands.doctor import doctor
from gofer.cli.commands.options import group
from gofer.cli.commands.up import up
from gofer.cli.context import CliContext
from gofer.cli.parameters import plain_command
from gofer.config.client_flags import ClientFlags

_HELP = """Run containers as graphs, written as programs.

The options below work before and after a command. Each can also be given in the environment, as GOFER_CLI_ and its name
in capitals (GOFER_CLI_HOST; for --config it is GOFER_CLI_CONFIG_PATH), or by its name in the configuration file.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 no permission, 5 server not reachable,
10 `up --plan` found changes, 130 interrupted.
"""


def build() -> TyperCommand | TyperGroup:
    """Return the whole command line; calling it runs a command and ends the process."""
    app = group(_HELP)
    app.callback()(_root)
    app.command()(up)
    app.add_typer(run.app, name="run")
    app.add_typer(pipeline.app, name="pipeline")
    app.add_typer(task_run.app, name="taskrun")
    app.add_typer(event.app, name="event")
    app.add_typer(namespace.app, name="namespace")
    app.add_typer(secret.app, name="secret")
    app.add_typer(service.app, name="service")
    app.command()(context)
    app.command()(doctor)
    app.command()(completion)
    return plain_command(app)


def _root(ctx: typer.Context, **flags: str | bool | None) -> None:
    flags.pop("version")
    ctx.obj = CliContext(flags=ClientFlags(**flags))  # type: ignore[arg-type]  # their types are in _parameters


def _parameters() -> Iterator[inspect.Parameter]:
    """Yield the parameters of the root command, which are too many to be written one by one."""
    yield inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    for name, (metavar, text) in GLOBAL_VALUES.items():
        yield _parameter(name, str | None, typer.Option(flag_of(name), metavar=metavar, help=text))
    for name, text in GLOBAL_SWITCHES.items():
        yield _parameter(name, bool | None, typer.Option(flag_of(name), help=text))
    version = typer.Option("--version", "-v", callback=_tell_version, is_eager=True, help="Show the version.")
    yield _parameter("version", bool, version, default=False)


def _parameter(name: str, kind: object, option: object, *, default: bool | None = None) -> inspect.Parameter:
    annotation = Annotated[kind, option]  # type: ignore[valid-type]  # a type that is known at run time only
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gofer {__version__}")
        raise typer.Exit


_root.__signature__ = inspect.Signature(list(_parameters()))  # type: ignore[attr-defined]
_root.__annotations__ = {each.name: each.annotation for each in _parameters()}
