"""`gofer secret`: values that only tasks should see."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import PipelineArgument, RawOption, YesOption, each_namespace, group, namespaces_option
from gofer.cli.contents import PIPE
from gofer.cli.context import cli_of
from gofer.cli.neutral import LogFilter
from gofer.cli.prompts import ask_hidden, confirm, interruptible
from gofer.cli.words import moment

if TYPE_CHECKING:
    from gofer.cli.output import Output
    from gofer_sdk._proto import proto

app = group("Keep values that only tasks should see.")
of_pipeline = group("The secrets of a pipeline; its tasks refer to them as pipeline_secret{{KEY}}.")
of_all = group("Secrets for several namespaces; tasks refer to them as global_secret{{KEY}}.")
app.add_typer(of_pipeline, name="pipeline")
app.add_typer(of_all, name="global")

KeyArgument: TypeAlias = Annotated[str, typer.Argument(metavar="KEY", help="The secret's key.")]
ReplaceOption: TypeAlias = Annotated[bool, typer.Option("--force", "-f", help="Replace a secret that is there.")]
FileOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="PATH",
        help="Take the value from this file, byte for byte; - is what is piped in.",
        show_default=False,
    ),
]
ValueOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--value",
        metavar="TEXT",
        help="Take this value. Others on this machine can see it while the command runs, and your shell remembers it.",
        show_default=False,
    ),
]
NamespacesOption: TypeAlias = Annotated[
    list[str], namespaces_option("Who may use it, everybody if not given", otherwise="*")
]


@of_pipeline.command("put")
@command
async def put_of_pipeline(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    key: KeyArgument,
    file: FileOption = None,
    value: ValueOption = None,
    force: ReplaceOption = False,
) -> None:
    """Keep a secret for a pipeline; its value is piped in, or asked for."""
    cli = cli_of(ctx)
    content = _value(cli.output, key, file=file, value=value)
    async with cli.client() as client:
        done = await client.secrets.put(pipeline, key, content, force=force)
    _tell_put(cli.output, key, done)


@of_pipeline.command("get")
@command
async def get_of_pipeline(
    ctx: typer.Context, pipeline: PipelineArgument, *, key: KeyArgument, raw: RawOption = False
) -> None:
    """Print the value of a pipeline's secret, and nothing else."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.secrets.get(pipeline, key, with_value=True)
    cli.output.json(found)
    _print_value(cli.output, found.secret, raw=raw)


@of_pipeline.command("list")
@command
async def list_of_pipeline(ctx: typer.Context, pipeline: PipelineArgument) -> None:
    """List the secrets of a pipeline, without their values."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.secrets.list(pipeline)
    cli.output.json(proto.ListPipelineSecretsResponse(keys=list(found)))
    now, detail = cli.output.now(), cli.output.detail
    cli.output.table(("Key", "Created"), [[each.key, moment(each.created, now=now, detail=detail)] for each in found])


@of_pipeline.command("delete")
@command
async def delete_of_pipeline(
    ctx: typer.Context, pipeline: PipelineArgument, *, key: KeyArgument, yes: YesOption = False
) -> None:
    """Remove a secret of a pipeline."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    confirm(cli.output, f"The secret {key} of {pipeline} will be gone for good.", expected=key, yes=yes)
    async with cli.client() as client:
        await client.secrets.delete(pipeline, key)
    cli.output.json(proto.DeletePipelineSecretResponse())
    cli.output.success(f"removed the secret {key}")


@of_all.command("put")
@command
async def put_of_all(
    ctx: typer.Context,
    key: KeyArgument,
    *,
    namespaces: NamespacesOption,
    file: FileOption = None,
    value: ValueOption = None,
    force: ReplaceOption = False,
) -> None:
    """Keep a secret for several namespaces; its value is piped in, or asked for."""
    cli = cli_of(ctx)
    content = _value(cli.output, key, file=file, value=value)
    async with cli.client() as client:
        done = await client.global_secrets.put(key, content, namespaces=each_namespace(namespaces), force=force)
    _tell_put(cli.output, key, done)


@of_all.command("get")
@command
async def get_of_all(ctx: typer.Context, key: KeyArgument, *, raw: RawOption = False) -> None:
    """Print the value of a global secret, and nothing else."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.global_secrets.get(key, with_value=True)
    cli.output.json(found)
    _print_value(cli.output, found.secret, raw=raw)


@of_all.command("list")
@command
async def list_of_all(ctx: typer.Context) -> None:
    """List the global secrets and who may use them, without their values."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.global_secrets.list()
    cli.output.json(proto.ListGlobalSecretsResponse(keys=list(found)))
    cli.output.table(("Key", "Namespaces", "Created"), [_row(each, cli.output) for each in found])


@of_all.command("delete")
@command
async def delete_of_all(ctx: typer.Context, key: KeyArgument, *, yes: YesOption = False) -> None:
    """Remove a global secret."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    confirm(cli.output, f"The global secret {key} will be gone for good.", expected=key, yes=yes)
    async with cli.client() as client:
        await client.global_secrets.delete(key)
    cli.output.json(proto.DeleteGlobalSecretResponse())
    cli.output.success(f"removed the global secret {key}")


def _row(found: "proto.SecretStoreKey", output: "Output") -> list[str]:
    return [found.key, ", ".join(found.namespaces), moment(found.created, now=output.now(), detail=output.detail)]


def _tell_put(
    output: "Output", key: str, done: "proto.PutPipelineSecretResponse | proto.PutGlobalSecretResponse"
) -> None:
    output.json(done)
    output.success(f"kept the secret {key} ({done.bytes} bytes)")
    if done.warning:
        output.warning(done.warning)


def _print_value(output: "Output", value: str, *, raw: bool) -> None:
    """Print a value exactly; a terminal does not get what would play tricks on it, unless it has to be `raw`."""
    if not output.is_pretty:
        return
    log_filter = LogFilter() if output.is_terminal and not raw else None
    output.log(value.encode(), log_filter)
    output.end_log(log_filter)


def _value(output: "Output", key: str, *, file: str | None, value: str | None) -> str:
    """Find the value of a secret where others can't see it, unless somebody insists.

    Raises typer.BadParameter.
    """
    if "=" in key:
        name = key.partition("=")[0]
        raise typer.BadParameter(
            f"name the key alone ({name}), and pipe the value in: on a command line others could see it"
        )
    if file is not None and value is not None:
        raise typer.BadParameter("--file and --value exclude each other")
    if value is not None:
        output.warning("others on this machine could see the value just now, and your shell remembers it")
        return value
    if file is not None and file != PIPE:
        try:
            return _text(Path(file).read_bytes())
        except OSError as error:
            raise typer.BadParameter(f"{file} can't be read: {error.strerror}") from error
    if sys.stdin.isatty():
        return ask_hidden(output, f"? the value of {key} (it is not shown): ")
    with interruptible():
        data = sys.stdin.buffer.read()
    return _without_the_shells_newline(_text(data))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("the value is no UTF-8 text: encode it first, with base64 for instance") from error


def _without_the_shells_newline(text: str) -> str:
    """Drop the newline that `echo` adds to a single line; what has several lines, such as a key, stays whole."""
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line
