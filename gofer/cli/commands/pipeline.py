"""`gofer pipeline`: pipelines and whether they may run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from gofer.cli.aio import command
from gofer.cli.commands import pipeline_config, pipeline_deployment, run
from gofer.cli.commands.object import of_pipeline as objects
from gofer.cli.commands.options import LimitOption, NoWaitOption, PipelineArgument, VersionArgument, YesOption, group
from gofer.cli.context import cli_of
from gofer.cli.pages import take
from gofer.cli.prompts import confirm
from gofer.cli.show import damage_fields, show_tasks
from gofer.cli.states import cell_of, is_over, state_of_run
from gofer.cli.tables import Cell, Style
from gofer.cli.words import moment, span, title

if TYPE_CHECKING:
    from gofer.cli.output import Output
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

app = group("Show, switch, deploy and delete pipelines.")
app.add_typer(pipeline_config.app, name="config")
app.add_typer(pipeline_deployment.app, name="deployment")
app.add_typer(objects, name="object")
app.add_typer(objects, name="store", hidden=True)  # as 0.6 has it
app.command("run")(run.start)

_RECENT: Final = 5
_AT_ONCE: Final = 8


@app.command("list")
@command
async def list_pipelines(ctx: typer.Context, limit: LimitOption = 10) -> None:
    """List the pipelines of the namespace, with how their last runs went."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(lambda count, after: client.pipelines.list(limit=count, cursor=after), limit)
        recent = await _recent_runs(client, [each.id for each in found]) if cli.output.is_pretty else {}
    now, detail = cli.output.now(), cli.output.detail
    cli.output.json(proto.ListPipelinesResponse(pipelines=found, next_cursor=cursor))
    if not found:
        cli.output.hint("there are no pipelines here yet: register one with `gofer up`")
        return
    cli.output.table(
        ("ID", "State", "Health", "Created", "Last Run"),
        [
            [
                each.id,
                _state(each),
                _health(recent.get(each.id, ())),
                moment(each.created, now=now, detail=detail),
                *(moment(last.started, now=now, detail=detail) for last in recent.get(each.id, ())[:1]),
                *(["-"] if not recent.get(each.id) else []),
            ]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, pipeline: PipelineArgument) -> None:
    """Show a pipeline: its live version with the graph of its tasks, and its last runs."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    output = cli.output
    async with cli.client() as client:
        found = await client.pipelines.get(pipeline)
        runs = (await client.runs.list(pipeline, limit=_RECENT)).items if output.is_pretty else ()
    now, detail = output.now(), output.detail
    output.json(proto.Pipeline(metadata=found.metadata, config=found.config))
    if not output.is_pretty:
        return
    output.fields(
        [
            ("Pipeline", found.metadata.id),
            ("Name", found.config.name),
            ("Description", found.config.description or "-"),
            ("State", _state(found.metadata)),
            ("Health", _health(runs)),
            ("Version", f"{found.config.version} ({title(found.config.state.name or '')})"),
            ("Parallelism", str(found.config.parallelism or "unlimited")),
            *([("Run timeout", found.config.run_timeout)] if found.config.run_timeout else []),
            ("Created", moment(found.metadata.created, now=now, detail=detail)),
            *damage_fields(found.config.damage),
        ]
    )
    output.line()
    show_tasks(output, found.config.tasks)
    if runs:
        output.line()
        _show_last(output, runs)


def _show_last(output: "Output", runs: "Sequence[proto.Run]") -> None:
    now, detail = output.now(), output.detail
    output.table(
        ("Last runs", "State", "Started", "Duration", "By"),
        [
            [
                str(each.id),
                cell_of(state_of_run(each)),
                moment(each.started, now=now, detail=detail),
                span(each.started, each.ended, now=now),
                each.initiator.name if each.initiator else "?",
            ]
            for each in runs
        ],
    )


@app.command()
@command
async def enable(ctx: typer.Context, pipeline: PipelineArgument) -> None:
    """Let a pipeline start runs again."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        await client.pipelines.enable(pipeline)
    cli.output.json(proto.EnablePipelineResponse())
    cli.output.success(f"{pipeline} may start runs")


@app.command()
@command
async def disable(ctx: typer.Context, pipeline: PipelineArgument, yes: YesOption = False) -> None:
    """Let a pipeline start no more runs; those under way go on."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    confirm(cli.output, f"The pipeline {pipeline} will start no more runs.", expected=pipeline, yes=yes)
    async with cli.client() as client:
        await client.pipelines.disable(pipeline)
    cli.output.json(proto.DisablePipelineResponse())
    cli.output.success(f"{pipeline} starts no more runs")


@app.command()
@command
async def delete(
    ctx: typer.Context, pipeline: PipelineArgument, *, yes: YesOption = False, no_wait: NoWaitOption = False
) -> None:
    """Delete a pipeline: its runs are cancelled, and all that belongs to it goes when they have ended."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    what = "with its versions, runs, logs, objects and secrets"
    confirm(cli.output, f"The pipeline {pipeline} will be gone, {what}.", expected=pipeline, yes=yes)
    async with cli.client() as client:
        if not no_wait:
            cli.output.hint("waiting for its runs to end; whatever becomes of this command, the server goes on")
        await client.pipelines.delete(pipeline, wait=not no_wait)
    cli.output.json(proto.DeletePipelineResponse())
    cli.output.success(f"{pipeline} is being deleted" if no_wait else f"deleted the pipeline {pipeline}")


@app.command()
@command
async def deploy(ctx: typer.Context, pipeline: PipelineArgument, version: VersionArgument) -> None:
    """Make a version the one that new runs use; an older one too, to go back."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        deployment = await client.pipelines.get_deployment(pipeline, await client.pipelines.deploy(pipeline, version))
    cli.output.json(deployment)
    cli.output.success(f"version {version} of {pipeline} is live: new runs use it")


async def _recent_runs(client: "GoferClient", pipelines: Sequence[str]) -> "dict[str, Sequence[proto.Run]]":
    import asyncio

    gate = asyncio.Semaphore(_AT_ONCE)

    async def recent(pipeline: str) -> "Sequence[proto.Run]":
        async with gate:
            return (await client.runs.list(pipeline, limit=_RECENT)).items

    async with asyncio.TaskGroup() as tasks:
        found = {name: tasks.create_task(recent(name), name=f"last runs of {name}") for name in pipelines}
    return {name: task.result() for name, task in found.items()}


def _state(pipeline: "proto.PipelineMetadata") -> Cell:
    if pipeline.deleting:
        return Cell("Being Deleted", Style.WARN)
    state = title(pipeline.state.name or "")
    return Cell(state, Style.WARN if state == "Disabled" else None)


def _health(runs: "Sequence[proto.Run]") -> Cell:
    """Say how the last runs went: those that have ended, and by themselves."""
    have_failed = [run.status.name == "FAILED" for run in runs if is_over(run)]
    if not any(have_failed):
        return Cell("Good", Style.GOOD)
    return Cell("Poor", Style.BAD) if all(have_failed) else Cell("Unstable", Style.WARN)
