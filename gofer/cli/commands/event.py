"""`gofer event`: what has happened, and what happens."""

import json
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import group
from gofer.cli.context import cli_of
from gofer.cli.words import moment, title

if TYPE_CHECKING:
    from gofer.cli.output import Output
    from gofer_sdk._proto import proto

app = group("Show events.")


@app.command("list")
@command
async def list_events(
    ctx: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="Newest first.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events with a greater id.")] = 0,
    limit: Annotated[int, typer.Option("--limit", "-l", min=0, help="At most so many; 0 is no limit.")] = 0,
    kind: Annotated[
        list[str],
        typer.Option(
            "--kind", "-k", help="Only this kind, such as RUN_STARTED.", default_factory=list, show_default=False
        ),
    ],
) -> None:
    """List events, oldest first."""
    from gofer_sdk.client import EventFilter

    cli = cli_of(ctx)
    if follow and reverse:
        raise typer.BadParameter("--follow and --reverse exclude each other")
    only = EventFilter(kinds=tuple(kind), namespace=cli.settings.namespace)
    async with (
        cli.client() as client,
        aclosing(client.events.list(only=only, after_id=after, reverse=reverse, follow=follow, limit=limit)) as events,
    ):
        async for event in events:
            cli.output.json(event)
            _show_line(cli.output, event, now=cli.output.now())


@app.command()
@command
async def get(
    ctx: typer.Context, event: Annotated[int, typer.Argument(metavar="EVENT", min=1, help="The event's number.")]
) -> None:
    """Show an event."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.events.get(event)
    cli.output.json(found)
    cli.output.fields(
        [
            ("Event", str(found.id)),
            ("Kind", found.type),
            ("Emitted", moment(found.emitted, now=cli.output.now(), detail=cli.output.detail)),
            *((title(key), str(value)) for key, value in details_of(found).items()),
        ]
    )


def details_of(event: "proto.Event") -> Mapping[str, object]:
    """Return the details of an event; none where they are no JSON object."""
    try:
        found = json.loads(event.details)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _show_line(output: "Output", event: "proto.Event", *, now: datetime) -> None:
    if not output.is_pretty:
        return
    details = "  ".join(f"{key}={value}" for key, value in details_of(event).items())
    output.line(f"[{event.id}] {moment(event.emitted, now=now, detail=output.detail)}  {title(event.type)}  {details}")
