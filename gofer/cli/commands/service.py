"""`gofer service`: the server itself."""

from typing import Annotated, Final

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.commands import token
from gofer.cli.commands.options import group
from gofer.cli.context import cli_of
from gofer.cli.tables import Cell, Style

NO_COMMIT: Final = ("", "000000")
"""What servers say, of 0.6 too, that don't know theirs."""

app = group("Run a server, ask it about itself, and say who may use it.")
app.add_typer(token.app, name="token")
app.add_typer(token.app, name="tokens", hidden=True)  # as 0.6 has it


@app.command()
def start(
    ctx: typer.Context,
    dev_mode: Annotated[
        bool, typer.Option("--dev-mode", "-d", help="For trying out: own certificates, no tokens, this machine only.")
    ] = False,
) -> None:
    """Run a server until it is told to stop; --config names its configuration file."""
    from gofer.serving import main

    raise typer.Exit(main(config_path=cli_of(ctx).flags.config, dev_mode=dev_mode))


@app.command()
@command
async def info(ctx: typer.Context) -> None:
    """Show what the server is."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.system.info()
    cli.output.json(found)
    cli.output.fields(
        [
            ("Version", found.semver),
            ("Commit", "-" if found.commit in NO_COMMIT else found.commit),
            ("Server", str(cli.settings.host)),
            ("Mode", Cell("development", Style.WARN) if found.dev_mode else "production"),
            ("Engine", found.scheduler_engine or "-"),
            ("Instance", found.instance_id or "-"),
            *(("Note", Cell(note, Style.WARN)) for note in found.notes),
        ]
    )


@app.command("rotate-key")
@command
async def rotate_key(ctx: typer.Context) -> None:
    """Encrypt with the server's current key all that was encrypted with an earlier one.

    Before: make a new key, put it into secret_store.sqlite.encryption_key and the old one into
    secret_store.sqlite.previous_encryption_keys, and restart the server. After: the old one can be removed.
    """
    from contextlib import aclosing

    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    last = proto.RotateKeyResponse()
    async with cli.client() as client, aclosing(client.system.rotate_key()) as steps:
        async for last in steps:
            cli.output.json(last)
            cli.output.hint(f"{last.done} of {last.total} looked at")
    if last.unreadable:
        cli.output.failure(
            f"{last.unreadable} could not be decrypted with any of the server's keys; its log names them. "
            "Add the key that is missing to secret_store.sqlite.previous_encryption_keys, and rotate again."
        )
        raise typer.Exit(ExitStatus.FAILED)
    cli.output.success(f"everything is encrypted with the current key ({last.reencrypted} changed)")
