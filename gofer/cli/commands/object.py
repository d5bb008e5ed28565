"""`gofer pipeline object` and `gofer run object`: bytes that tasks keep for later tasks and later runs."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import PipelineArgument, RawOption, YesOption, group
from gofer.cli.contents import PIPE, save, show, source_of
from gofer.cli.context import CliContext, cli_of
from gofer.cli.prompts import confirm
from gofer.cli.words import moment, size

if TYPE_CHECKING:
    from gofer_sdk.client import ObjectList

of_pipeline = group("Keep objects for the later runs of a pipeline; its tasks refer to them as pipeline_object{{KEY}}.")
of_run = group("Keep objects for the later tasks of a run; they refer to them as run_object{{KEY}}.")

_NAMED_LAST = 2

KeyArgument: TypeAlias = Annotated[str, typer.Argument(metavar="KEY", help="The object's key.")]
PutArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="The object's key. As in Gofer 0.6 the content may follow it: KEY=TEXT, or KEY=@PATH for a file's.",
    ),
]
RunKeyArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="[RUN] KEY", help="The object's key, after the run's number if it is not the newest run."),
]
RunPutArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] KEY",
        help="The object's key, after the run's number if it is not the newest run. As in Gofer 0.6 the content may "
        "follow the key: KEY=TEXT, or KEY=@PATH for a file's.",
    ),
]
OptionalRunArgument: TypeAlias = Annotated[
    int | None,
    typer.Argument(metavar="RUN", min=1, help="The run's number; the newest run's if not given.", show_default=False),
]
FromOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--file", metavar="PATH", help="Take the content from this file; - is what is piped in.", show_default=False
    ),
]
ToOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="PATH",
        help="Write it to this file, which is there only when the object is whole.",
        show_default=False,
    ),
]
ReplaceOption: TypeAlias = Annotated[bool, typer.Option("--force", "-f", help="Replace an object that is there.")]
StringifyOption: TypeAlias = Annotated[
    bool, typer.Option("--stringify", "-s", hidden=True, help="Changes nothing, as in Gofer 0.6.")
]


@of_pipeline.command("put")
@command
async def put_of_pipeline(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    key: PutArgument,
    file: FromOption = None,
    force: ReplaceOption = False,
) -> None:
    """Keep an object for a pipeline: a file's content, or what is piped in."""
    await _put(cli_of(ctx), pipeline, None, source=(key, file), force=force)


@of_pipeline.command("get")
@command
async def get_of_pipeline(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    key: KeyArgument,
    file: ToOption = None,
    raw: RawOption = False,
    stringify: StringifyOption = False,
) -> None:
    """Print an object of a pipeline and nothing else, or write it to a file."""
    del stringify
    await _get(cli_of(ctx), pipeline, None, key=key, file=file, raw=raw)


@of_pipeline.command("list")
@command
async def list_of_pipeline(ctx: typer.Context, pipeline: PipelineArgument) -> None:
    """List the objects of a pipeline, oldest first."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.objects.list(pipeline)
    cli.output.json(proto.ListPipelineObjectsResponse(keys=list(found)))
    if not found.items:
        cli.output.hint(f"{pipeline} has no objects: gofer pipeline object put {pipeline} KEY --file PATH")
        return
    _show_list(cli, found)


@of_pipeline.command("delete")
@command
async def delete_of_pipeline(
    ctx: typer.Context, pipeline: PipelineArgument, *, key: KeyArgument, yes: YesOption = False
) -> None:
    """Remove an object of a pipeline."""
    await _delete(cli_of(ctx), pipeline, None, key=key, yes=yes)


@of_run.command("put")
@command
async def put_of_run(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    key: RunPutArgument,
    file: FromOption = None,
    force: ReplaceOption = False,
) -> None:
    """Keep an object for a run, the newest one if none is named: a file's content, or what is piped in."""
    run, word = _run_and_key(key)
    await _put(cli_of(ctx), pipeline, run, source=(word, file), force=force)


@of_run.command("get")
@command
async def get_of_run(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    key: RunKeyArgument,
    file: ToOption = None,
    raw: RawOption = False,
    stringify: StringifyOption = False,
) -> None:
    """Print an object of a run and nothing else, or write it to a file; of the newest run if none is named."""
    del stringify
    run, word = _run_and_key(key)
    await _get(cli_of(ctx), pipeline, run, key=word, file=file, raw=raw)


@of_run.command("list")
@command
async def list_of_run(ctx: typer.Context, pipeline: PipelineArgument, run: OptionalRunArgument = None) -> None:
    """List the objects of a run, oldest first; of the newest run if none is named."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.objects.list(pipeline, run=run or 0)
    cli.output.json(proto.ListRunObjectsResponse(keys=list(found), run_id=found.run))
    if not found.items:
        cli.output.hint(f"run {found.run} of {pipeline} has no objects")
        return
    _show_list(cli, found)
    if run is None:
        cli.output.hint(f"these are those of run {found.run}, the newest")


@of_run.command("delete")
@command
async def delete_of_run(
    ctx: typer.Context, pipeline: PipelineArgument, *, key: RunKeyArgument, yes: YesOption = False
) -> None:
    """Remove an object of a run; of the newest run if none is named."""
    run, word = _run_and_key(key)
    await _delete(cli_of(ctx), pipeline, run, key=word, yes=yes)


async def _put(cli: CliContext, pipeline: str, run: int | None, *, source: tuple[str, str | None], force: bool) -> None:
    with source_of(*source) as found:
        async with cli.client() as client, aclosing(found.pieces(cli.output)) as pieces:
            done = await client.objects.put(pipeline, found.key, pieces, run=run, force=force)
    cli.output.json(done)
    owner = f" of run {done.run_id}" if run is not None else ""
    cli.output.success(f"kept the object {found.key}{owner} ({size(done.bytes)})")
    if done.objects_evicted:
        cli.output.warning(
            f"{pipeline} keeps {done.object_limit} objects: this one put out {', '.join(done.objects_evicted)}"
        )


async def _get(cli: CliContext, pipeline: str, run: int | None, *, key: str, file: str | None, raw: bool) -> None:
    from gofer_sdk._proto import proto

    async with cli.client() as client, client.objects.open(pipeline, key, run=run) as found:
        cli.output.json(proto.DownloadObjectResponse(metadata=found.details, run_id=found.run))
        if file is None or file == PIPE:
            await show(cli.output, found, raw=raw)
            return
        await save(cli.output, found, Path(file))
    cli.output.success(f"wrote the object {key} to {file} ({size(found.details.bytes)})")


async def _delete(cli: CliContext, pipeline: str, run: int | None, *, key: str, yes: bool) -> None:
    from gofer_sdk._proto import proto

    owner = pipeline if run is None else f"run {run} of {pipeline}" if run else f"the newest run of {pipeline}"
    confirm(cli.output, f"The object {key} of {owner} will be gone for good.", expected=key, yes=yes)
    async with cli.client() as client:
        await client.objects.delete(pipeline, key, run=run)
    cli.output.json(proto.DeletePipelineObjectResponse() if run is None else proto.DeleteRunObjectResponse())
    cli.output.success(f"removed the object {key}")


def _show_list(cli: CliContext, found: "ObjectList") -> None:
    now, detail = cli.output.now(), cli.output.detail
    cli.output.table(
        ("Key", "Size", "Created"),
        [[each.key, size(each.bytes), moment(each.created, now=now, detail=detail)] for each in found],
    )


def _run_and_key(words: Sequence[str]) -> tuple[int, str]:
    """Read `KEY` or `RUN KEY`; the run is 0 where the newest one is meant.

    Raises:
        typer.BadParameter: it is neither.

    """
    if len(words) == 1:
        return 0, words[0]
    if len(words) > _NAMED_LAST:
        raise typer.BadParameter(f"{' '.join(words[_NAMED_LAST:])} is too much: name a run and a key")
    run, key = words
    if not (run.isascii() and run.isdigit() and int(run)):
        raise typer.BadParameter(f"{run!r} is no run: they are numbered from 1")
    return int(run), key
