"""`gofer service stop`: end a server from afar."""

from typing import Annotated

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import YesOption
from gofer.cli.context import cli_of
from gofer.cli.prompts import confirm
from gofer.cli.words import counted

SURE = "stop"


@command
async def stop(
    ctx: typer.Context,
    drain: Annotated[
        bool, typer.Option("--drain", help="Refuse new runs, and wait for those under way, before it ends.")
    ] = False,
    longest: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="The longest wait of --drain, such as 30m.")
    ] = "10m",
    yes: YesOption = False,
) -> None:
    """Have the server end. Containers go on running, and its next start takes them up again.

    With --drain, queued runs stay queued for the next start. Interrupting the command takes the stop back.
    """
    from contextlib import aclosing

    from gofer_sdk._proto import proto
    from gofer_sdk.rules.durations import parse_duration

    try:
        limit = parse_duration(longest)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if limit.total_seconds() <= 0:
        raise typer.BadParameter(f"{longest} is no time to wait: give more than 0")
    cli = cli_of(ctx)
    confirm(cli.output, f"The server at {cli.settings.host} will end.", expected=SURE, yes=yes)
    last = proto.StopServerResponse(live_runs=-1)
    async with cli.client() as client, aclosing(client.system.stop(drain=drain, timeout=limit)) as steps:
        async for step in steps:
            cli.output.json(step)
            if step.live_runs != last.live_runs and not step.stopping:
                cli.output.hint(f"waiting for {counted(step.live_runs, 'run')} to end")
            last = step
            if step.stopping:
                break  # the connection may end before the call does
    left = f"; {counted(last.live_runs, 'live run')} will be taken up when it is back" if last.live_runs else ""
    cli.output.success(f"the server stops{left}")
