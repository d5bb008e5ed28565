"""`gofer taskrun`: the executions of tasks, and their logs."""

import inspect
import shlex
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.commands.event import details_of
from gofer.cli.commands.options import (
    ForceOption,
    LimitOption,
    PipelineArgument,
    RawOption,
    RunArgument,
    TaskArgument,
    WaitOption,
    YesOption,
    group,
    with_parameters,
)
from gofer.cli.context import cli_of
from gofer.cli.neutral import LogFilter, plain
from gofer.cli.pages import take
from gofer.cli.prompts import confirm
from gofer.cli.show import damage_fields, needs_of, show_task_runs, words_of_needs
from gofer.cli.states import cell_of, exit_code_of, is_over, state_of_task_run
from gofer.cli.tables import Cell
from gofer.cli.words import moment, span

if TYPE_CHECKING:
    from gofer.cli.output import Output
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

OnlyTaskArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="TASK", help="The task's id; not needed where the run has only one.", show_default=False),
]

_NAMED_TASKS: Final = 10

app = group("Show task runs and their logs, attach to them, and cancel them.")


@app.command("list")
@command
async def list_task_runs(
    ctx: typer.Context, pipeline: PipelineArgument, *, run: RunArgument, limit: LimitOption = 1000
) -> None:
    """List the task runs of a run, as the graph that they are."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(
            lambda count, after: client.task_runs.list(pipeline, run, limit=count, cursor=after), limit
        )
        if not found:
            await client.runs.get(pipeline, run)
    cli.output.json(proto.ListTaskRunsResponse(task_runs=found, next_cursor=cursor))
    show_task_runs(cli.output, found, now=cli.output.now())
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, pipeline: PipelineArgument, *, run: RunArgument, task: OnlyTaskArgument = "") -> None:
    """Show a task run: how it stands, what it runs, and its environment."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        task = task or await _only_task(client, pipeline, run)
        found = await client.task_runs.get(pipeline, run, task)
    cli.output.json(found)
    if cli.output.is_pretty:
        _show(cli.output, found)
        cli.output.hint(f"its log: gofer taskrun logs {pipeline} {run} {task}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _LogOptions:
    """The options of `taskrun logs`, which are too many for the parameters of one function."""

    follow: bool
    tail: int | None
    raw: bool


_LOG_PARAMETERS: Final = {
    "pipeline": (PipelineArgument, inspect.Parameter.empty),
    "run": (RunArgument, inspect.Parameter.empty),
    "task": (OnlyTaskArgument, ""),
    "follow": (Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task run has ended.")], False),
    "tail": (Annotated[int | None, typer.Option("--tail", "-n", min=1, help="Only the last so many lines.")], None),
    "raw": (RawOption, False),
}


@app.command()
@command
@with_parameters(_LOG_PARAMETERS)
async def logs(ctx: typer.Context, /, pipeline: str, *, run: int, task: str, **options: bool | int | None) -> None:
    """Print the log of a task run: byte for byte, but for what a terminal must not see, unless --raw says so."""
    from gofer_sdk._proto import proto
    from gofer_sdk.client import Tail

    cli = cli_of(ctx)
    given = _LogOptions(**options)  # type: ignore[arg-type]  # their types are in _LOG_PARAMETERS
    log_filter = LogFilter() if cli.output.is_terminal and not given.raw else None
    start = Tail(lines=given.tail) if given.tail else 0
    async with cli.client() as client:
        task = task or await _only_task(client, pipeline, run)
        stream = client.task_runs.logs(pipeline, run, task, start=start, follow=given.follow)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                cli.output.json(proto.GetTaskRunLogsResponse(chunk=chunk.data, offset_bytes=chunk.offset_bytes))
                cli.output.log(chunk.data, log_filter)
    cli.output.end_log(log_filter)


@app.command()
@command
async def attach(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    run: RunArgument,
    task: OnlyTaskArgument = "",
    program: Annotated[
        str, typer.Option("--command", "-c", help="What to run there, in the words of a shell. [default: sh]")
    ] = "",
) -> None:
    """Open a terminal in the container of a running task, and end as what runs on it ends.

    Every key goes there, Ctrl-C too. Where the standard input is no terminal, it is typed as it comes.
    """
    from gofer.cli.attaching import converse, wish_for
    from gofer.cli.terminal import LocalTerminal

    cli = cli_of(ctx)
    words = _words(program)
    local = LocalTerminal()
    async with cli.client() as client:
        task = task or await _only_task(client, pipeline, run)
        async with client.task_runs.attach(pipeline, run, task, terminal=wish_for(words, local)) as attachment:
            cli.output.hint(f"attached to {task} of run {run} of {pipeline}; `exit` ends it")
            await converse(attachment, local, cli.output)
    if attachment.exit_code is None:
        cli.output.failure(f"task run {task} of run {run} has ended")
        raise typer.Exit(ExitStatus.FAILED)
    if attachment.exit_code:
        raise typer.Exit(attachment.exit_code)


@app.command()
@command
async def cancel(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    run: RunArgument,
    task: TaskArgument,
    force: ForceOption = False,
    wait: WaitOption = False,
) -> None:
    """Stop a task run: its container is asked to end, and killed where it doesn't."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.task_runs.get(pipeline, run, task)
        name = f"task run {task} of run {run}"
        if is_over(found):
            cli.output.success(f"{name} had ended: {state_of_task_run(found)}")
        else:
            await client.task_runs.cancel(pipeline, run, task, force=force)
            cli.output.success(f"{name} is being cancelled")
            found = await (_wait(client, found) if wait else client.task_runs.get(pipeline, run, task))
            if wait:
                cli.output.success(f"{name} has ended: {state_of_task_run(found)}")
        cli.output.json(found)


@app.command("delete-logs")
@command
async def delete_logs(
    ctx: typer.Context, pipeline: PipelineArgument, *, run: RunArgument, task: TaskArgument, yes: YesOption = False
) -> None:
    """Remove the log of a task run that has ended."""
    cli = cli_of(ctx)
    confirm(cli.output, f"The log of task run {task} of run {run} of {pipeline} will be gone.", expected=task, yes=yes)
    async with cli.client() as client:
        await client.task_runs.delete_logs(pipeline, run, task)
        found = await client.task_runs.get(pipeline, run, task)
    cli.output.json(found)
    cli.output.success(f"removed the log of task run {task} of run {run} of {pipeline}")


async def _only_task(client: "GoferClient", pipeline: str, run: int) -> str:
    """Return the task of a run that has one; refuse to choose between several. Raises CallFailed, BadParameter."""
    found = await client.task_runs.list(pipeline, run, limit=_NAMED_TASKS)
    if not found.items:
        await client.runs.get(pipeline, run)
        raise typer.BadParameter(f"run {run} of {pipeline} has not begun, and so has no task run yet")
    if len(found.items) > 1:
        names = plain(", ".join(each.id for each in found))
        raise typer.BadParameter(f"run {run} has several tasks: name one of {names}")
    return found.items[0].id


def _words(program: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(program))
    except ValueError as error:
        raise typer.BadParameter(f"{program!r} can't be read as a shell would: {error}") from error


async def _wait(client: "GoferClient", found: "proto.TaskRun") -> "proto.TaskRun":
    from gofer_sdk.client import EventFilter

    kinds = ("TASKRUN_COMPLETED",)
    only = EventFilter(kinds=kinds, namespace=found.namespace, pipeline=found.pipeline, run=found.run)
    # The history comes first, so that an end before the call is in it.
    async with aclosing(client.events.list(only=only, follow=True)) as events:
        async for event in events:
            if details_of(event).get("task_run_id") == found.id:
                break
    return await client.task_runs.get(found.pipeline, found.run, found.id, namespace=found.namespace)


def _show(output: "Output", task_run: "proto.TaskRun") -> None:
    now, detail = output.now(), output.detail
    rows: list[tuple[str, Cell | str]] = [
        ("Task", task_run.id),
        ("Run", f"{task_run.run} of {task_run.pipeline}, version {task_run.version}"),
        ("State", cell_of(state_of_task_run(task_run))),
        ("Exit code", exit_code_of(task_run)),
    ]
    if task_run.status_reason and task_run.status_reason.description:
        rows.append(("Reason", task_run.status_reason.description))
    rows.append(("Started", moment(task_run.started, now=now, detail=detail)))
    rows.append(("Duration", span(task_run.started, task_run.ended, now=now)))
    if task_run.task:
        rows.append(("Image", task_run.task.image))
        rows.append(("Needs", words_of_needs(needs_of(task_run.task)) or "-"))
        rows += [("Timeout", task_run.task.timeout)] if task_run.task.timeout else []
    rows += damage_fields(task_run.damage)
    output.fields(rows)
    if task_run.variables:
        output.line()
        output.table(
            ("Variable", "Value", "From"),
            [
                [variable.key, variable.value, variable.source.replace("_", " ").title()]
                for variable in sorted(task_run.variables, key=lambda variable: variable.key)
            ],
        )
