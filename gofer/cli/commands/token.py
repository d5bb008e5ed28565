"""`gofer service token`: what opens the server."""

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import LimitOption, YesOption, each_namespace, group, namespaces_option
from gofer.cli.context import CliContext, cli_of
from gofer.cli.pages import take
from gofer.cli.prompts import ask_token, confirm
from gofer.cli.tables import Cell, Style
from gofer.cli.words import moment
from gofer_sdk.rules.durations import parse_duration

if TYPE_CHECKING:
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient, NewToken

app = group("Make, show and revoke tokens.")

KINDS = ("client", "management")

TokenArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TOKEN_ID",
        help="The token's public id. Without it the token itself is asked for; piped in, it is the first line.",
        show_default=False,
    ),
]
KindArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="KIND", help="client: what concerns its namespaces; management: everything.")
]
ExpiryOption: TypeAlias = Annotated[
    str, typer.Option("--expiry", "-e", metavar="DURATION", help="How long it lives, such as 720h.")
]
NamespacesOption: TypeAlias = Annotated[
    list[str], namespaces_option("What it opens, the namespace default if not given", otherwise="default")
]
MetadataOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--metadata",
        "-m",
        metavar="KEY:VALUE",
        help="A note for people, such as owner:anna. May be given several times.",
        default_factory=list,
        show_default=False,
    ),
]


@app.command()
@command
async def bootstrap(ctx: typer.Context) -> None:
    """Get the first management token of a new server; on its own machine, and once ever."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        made = await client.tokens.bootstrap()
    _show_new(cli, made)


@app.command()
@command
async def create(
    ctx: typer.Context,
    kind: KindArgument,
    *,
    expiry: ExpiryOption = "24h",
    namespaces: NamespacesOption,
    metadata: MetadataOption,
) -> None:
    """Make a token, and print it this once."""
    if kind.lower() not in KINDS:
        raise typer.BadParameter(f"there is no kind {kind!r}: give client or management")
    try:
        expires_in = parse_duration(expiry)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    notes = dict(_pair(entry) for entry in metadata)
    cli = cli_of(ctx)
    async with cli.client() as client:
        made = await client.tokens.create(
            management=kind.lower() == "management",
            namespaces=each_namespace(namespaces),
            metadata=notes,
            expires_in=expires_in,
        )
    _show_new(cli, made)


@app.command("list")
@command
async def list_tokens(
    ctx: typer.Context,
    limit: LimitOption = 50,
    *,
    everywhere: Annotated[bool, typer.Option("--all", "-a", help="Of all namespaces.")] = False,
) -> None:
    """List the tokens that open your namespace; never the tokens themselves."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(
            lambda count, after: client.tokens.list(everywhere=everywhere, limit=count, cursor=after), limit
        )
    now = cli.output.now()
    cli.output.json(proto.ListTokensResponse(tokens=found, next_cursor=cursor))
    cli.output.table(
        ("ID", "Kind", "Created", "Expires", "State", "Namespaces", "Notes"),
        [
            [
                each.id,
                _kind(each),
                moment(each.created, now=now, detail=cli.output.detail),
                moment(each.expires, now=now, detail=cli.output.detail),
                _state(each, now),
                _opens(each),
                _notes(each),
            ]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, token: TokenArgument = "") -> None:
    """Show what is known of a token."""
    cli = cli_of(ctx)
    name = token or ask_token(cli.output)
    async with cli.client() as client:
        found = await client.tokens.get(name)
    cli.output.json(found)
    _show(cli, found)


@app.command()
@command
async def enable(ctx: typer.Context, token: TokenArgument = "") -> None:
    """Accept a disabled token again."""
    await _switch(ctx, token, disabled=False)


@app.command()
@command
async def disable(ctx: typer.Context, token: TokenArgument = "") -> None:
    """Refuse a token until it is enabled again; streams that it has opened end."""
    await _switch(ctx, token, disabled=True)


@app.command()
@command
async def delete(ctx: typer.Context, token: TokenArgument = "", *, yes: YesOption = False) -> None:
    """Forget a token for ever; streams that it has opened end."""
    cli = cli_of(ctx)
    name = token or ask_token(cli.output)
    async with cli.client() as client:
        found = await client.tokens.get(name)
        await _warn_of_last(cli, client, found)
        # Who has typed the token itself has said enough.
        sure = yes or not token
        confirm(cli.output, f"The token {found.id} will open nothing any more.", expected=found.id, yes=sure)
        await client.tokens.delete(name)
    cli.output.json(found)
    cli.output.success(f"deleted the token {found.id}")


@app.command()
@command
async def whoami(ctx: typer.Context) -> None:
    """Show what is known of your own token."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.tokens.who_am_i()
    cli.output.json(found)
    if found.without_token:
        cli.output.line("the server runs in dev mode and lets you do everything, without a token")
    elif found.details is not None:
        _show(cli, found.details)


async def _switch(ctx: typer.Context, token: str, *, disabled: bool) -> None:
    cli = cli_of(ctx)
    name = token or ask_token(cli.output)
    async with cli.client() as client:
        found = await client.tokens.get(name)
        if disabled:
            await _warn_of_last(cli, client, found)
        await (client.tokens.disable if disabled else client.tokens.enable)(name)
    found.disabled = disabled
    cli.output.json(found)
    cli.output.success(f"{'disabled' if disabled else 'enabled'} the token {found.id}")


async def _warn_of_last(cli: CliContext, client: "GoferClient", token: "proto.Token") -> None:
    """Say so where no other token could make a management token any more: the first one is given out once ever."""
    now = cli.output.now()
    if not _manages(token, now):
        return
    async with aclosing(client.tokens.each(everywhere=True)) as others:
        async for each in others:
            if each.id != token.id and _manages(each, now):
                return
    cli.output.warning(
        "no other token is left that manages this server: to get another one, whoever may start it has to start it "
        "with --dev-mode, make one with `gofer service token create management`, and start it again as before"
    )


def _manages(token: "proto.Token", now: datetime) -> bool:
    return _kind(token) == "Management" and _state(token, now).text == "active"


def _show_new(cli: CliContext, made: "NewToken") -> None:
    from gofer_sdk._proto import proto

    cli.output.json(proto.CreateTokenResponse(details=made.details, token=made.token.reveal()))
    cli.output.line(made.token.reveal())
    kind = _kind(made.details).lower()
    cli.output.success(f"made the {kind} token {made.details.id}; it is shown this once: put it where it is safe")


def _show(cli: CliContext, token: "proto.Token") -> None:
    cli.output.fields(token_fields(cli, token))


def token_fields(cli: CliContext, token: "proto.Token") -> list[tuple[str, Cell | str]]:
    """Return what is known of a token, for people."""
    now, detail = cli.output.now(), cli.output.detail
    rows: list[tuple[str, Cell | str]] = [
        ("ID", token.id or "-"),
        ("Kind", _kind(token)),
        ("State", _state(token, now)),
        ("Namespaces", _opens(token)),
        ("Created", moment(token.created, now=now, detail=detail)),
        ("Expires", moment(token.expires, now=now, detail=detail)),
        ("Notes", _notes(token)),
    ]
    if token.pipeline_id:
        rows.append(("Task run", f"{token.pipeline_id} {token.run_id} {token.task_run_id}"))
    return rows


def _kind(token: "proto.Token") -> str:
    return (token.kind.name or "?").title()


def _state(token: "proto.Token", now: datetime) -> Cell:
    if token.expires and token.expires <= now.timestamp() * 1000:
        return Cell("expired", Style.WARN)
    return Cell("disabled", Style.WARN) if token.disabled else Cell("active", Style.GOOD)


def _opens(token: "proto.Token") -> str:
    if token.pipeline_id:
        return f"{', '.join(token.namespaces)}: {token.pipeline_id} only"
    return ", ".join(token.namespaces) or ("all" if _kind(token) == "Management" else "none")


def _notes(token: "proto.Token") -> str:
    return ", ".join(f"{key}:{value}" for key, value in token.metadata.items()) or "-"


def _pair(entry: str) -> tuple[str, str]:
    key, colon, value = entry.partition(":")
    if not (colon and key):
        raise typer.BadParameter(f"{entry!r} is no KEY:VALUE, such as owner:anna")
    return key, value
