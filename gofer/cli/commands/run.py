"""`gofer run`: start runs, look at them, stop them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.arguments import read_variables
from gofer.cli.commands.object import of_run as objects
from gofer.cli.commands.options import (
    ForceOption,
    LimitOption,
    PipelineArgument,
    RunArgument,
    VariableOption,
    WaitOption,
    group,
)
from gofer.cli.context import CliContext, cli_of
from gofer.cli.pages import pipeline_must_exist, take
from gofer.cli.show import show_run
from gofer.cli.states import cell_of, has_succeeded, is_over, state_of_run
from gofer.cli.words import counted, moment, span

if TYPE_CHECKING:
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

app = group("Start, show and cancel runs.")
app.add_typer(objects, name="object")
app.add_typer(objects, name="store", hidden=True)  # as 0.6 has it

FollowOption: TypeAlias = Annotated[
    bool, typer.Option("--follow", help="Show the run live, with its logs, and end as it ends.")
]
EndOption: TypeAlias = Annotated[bool, typer.Option("--wait", help="Wait for the run, and end as it ends.")]


@app.command()
@command
async def start(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    follow: FollowOption = False,
    run_timeout: Annotated[
        str, typer.Option("--timeout", help="How long it may take, such as 2h; 0 = no limit. [default: the pipeline's]")
    ] = "",
    wait: EndOption = False,
    variable: VariableOption,
) -> None:
    """Start a run of a pipeline."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    variables = read_variables(variable)
    async with cli.client() as client:
        await _tell_notes(cli, client)
        initiator = proto.Initiator(type=proto.InitiatorType.HUMAN, name="cli")
        asked = await client.runs.start(pipeline, variables=variables, initiator=initiator, run_timeout=run_timeout)
        started = asked.run
        cli.output.success(f"started run {started.id} of {pipeline}")
        await _go_on(cli, client, started, follow=follow, wait=wait)


@app.command()
@command
async def retry(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    run: RunArgument,
    same_version: Annotated[
        bool, typer.Option("--same-version", help="Of the version that the old run had, not of the live one.")
    ] = False,
    follow: FollowOption = False,
    wait: EndOption = False,
) -> None:
    """Start another run with the variables of an old one."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        await _tell_notes(cli, client)
        initiator = proto.Initiator(type=proto.InitiatorType.HUMAN, name="cli")
        started = (await client.runs.retry(pipeline, run, same_version=same_version, initiator=initiator)).run
        cli.output.success(f"started run {started.id} of {pipeline}, as run {run} was, of version {started.version}")
        await _go_on(cli, client, started, follow=follow, wait=wait)


@app.command("follow")
@command
async def follow_run(ctx: typer.Context, pipeline: PipelineArgument, run: RunArgument) -> None:
    """Show a run live, with its logs from their beginning, and end as it ends."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        await _follow(cli, client, await client.runs.get(pipeline, run))


@app.command("list")
@command
async def list_runs(ctx: typer.Context, pipeline: PipelineArgument, limit: LimitOption = 10) -> None:
    """List the runs of a pipeline, newest first."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(lambda count, after: client.runs.list(pipeline, limit=count, cursor=after), limit)
        if not found:
            await pipeline_must_exist(client, pipeline)
    now, detail = cli.output.now(), cli.output.detail
    cli.output.json(proto.ListRunsResponse(runs=found, next_cursor=cursor))
    if not found:
        cli.output.hint(f"{pipeline} has not run yet: gofer run start {pipeline} --follow")
        return
    cli.output.table(
        ("ID", "State", "Started", "Ended", "Duration", "Version", "By"),
        [
            [
                str(each.id),
                cell_of(state_of_run(each)),
                moment(each.started, now=now, detail=detail),
                moment(each.ended, now=now, detail=detail),
                span(each.started, each.ended, now=now),
                str(each.version),
                each.initiator.name if each.initiator else "?",
            ]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, pipeline: PipelineArgument, run: RunArgument) -> None:
    """Show a run with the graph of its tasks: states, times, exit codes and reasons."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        await _show(cli, client, await client.runs.get(pipeline, run))


@app.command()
@command
async def cancel(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    run: RunArgument,
    force: ForceOption = False,
    wait: WaitOption = False,
) -> None:
    """Stop a run: its containers are asked to end, and killed where they don't."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.runs.get(pipeline, run)
        name = f"run {run} of {pipeline}"
        if is_over(found):
            cli.output.success(f"{name} had ended: {state_of_run(found)}")
        else:
            await client.runs.cancel(pipeline, run, force=force)
            cli.output.success(f"{name} is being cancelled")
            found = await (client.runs.wait if wait else client.runs.get)(pipeline, run)
            if wait:
                cli.output.success(f"{name} has ended: {state_of_run(found)}")
        cli.output.json(found)


@app.command("cancel-all")
@command
async def cancel_all(
    ctx: typer.Context, pipeline: PipelineArgument, *, force: ForceOption = False, wait: WaitOption = False
) -> None:
    """Stop all runs of a pipeline that have not ended."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        runs = await client.runs.cancel_all(pipeline, force=force)
        if not runs:
            await pipeline_must_exist(client, pipeline)
        cli.output.json(proto.CancelAllRunsResponse(runs=list(runs)))
        cli.output.success(f"{counted(len(runs), 'run')} of {pipeline} to cancel")
        for run in runs:
            if wait:
                await client.runs.wait(pipeline, run)
            cli.output.line(str(run))


async def _go_on(cli: CliContext, client: "GoferClient", started: "proto.Run", *, follow: bool, wait: bool) -> None:
    """Show a run that was just started, as far as that is wanted."""
    if follow:
        await _follow(cli, client, started)
    elif wait:
        cli.output.hint("waiting for it to end")
        with _left_alone(cli, started):
            ended = await client.runs.wait(started.pipeline, started.id, namespace=started.namespace)
        await _end_as(cli, client, ended)
    else:
        cli.output.json(started)
        cli.output.hint(f"look at it: gofer run get {started.pipeline} {started.id}")


@contextmanager
def _left_alone(cli: CliContext, run: "proto.Run") -> Iterator[None]:
    """Tell whoever leaves the block by an interrupt that the run goes on."""
    import asyncio

    try:
        yield
    except asyncio.CancelledError:
        cli.output.hint(
            f"the run goes on; look on again: gofer run follow {run.pipeline} {run.id}; "
            f"stop it: gofer run cancel {run.pipeline} {run.id}"
        )
        raise


async def _follow(cli: CliContext, client: "GoferClient", run: "proto.Run") -> None:
    from gofer.cli.follow import follow
    from gofer.cli.view import view_for

    is_old = is_over(run)
    if is_old:
        ended_at = moment(run.ended, now=cli.output.now(), detail=cli.output.detail)
        cli.output.hint(f"run {run.id} of {run.pipeline} ended {ended_at}; this is how it went")
    with _left_alone(cli, run):
        async with view_for(cli.output, is_old=is_old) as view:
            ended = await follow(client, run, view=view)
    await _end_as(cli, client, ended)


async def _end_as(cli: CliContext, client: "GoferClient", run: "proto.Run") -> None:
    """Show how a run has ended, and fail as it has failed."""
    await _show(cli, client, run)
    if not has_succeeded(run):
        raise typer.Exit(ExitStatus.FAILED)


async def _show(cli: CliContext, client: "GoferClient", run: "proto.Run") -> None:
    cli.output.json(run)
    if cli.output.is_pretty:
        task_runs = [each async for each in client.task_runs.each(run.pipeline, run.id, namespace=run.namespace)]
        show_run(cli.output, run, task_runs)


async def _tell_notes(cli: CliContext, client: "GoferClient") -> None:
    """Say what the server wants its users to know, such as that its engine isolates nothing."""
    for note in (await client.system.info()).notes:
        cli.output.warning(note)
