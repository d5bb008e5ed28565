"""`gofer service`: the server itself."""

import gc
from typing import Annotated, Final

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.commands import service_backup, service_config, service_stop, token
from gofer.cli.commands.options import PipelineArgument, RunArgument, YesOption, group
from gofer.cli.context import cli_of
from gofer.cli.prompts import confirm
from gofer.cli.start_help import StartCommand
from gofer.cli.states import is_over, state_of_run
from gofer.cli.tables import Cell, Style

NO_COMMIT: Final = ("", "000000")
"""What servers say, of 0.6 too, that don't know theirs."""
SURE: Final = "iamsure"
"""The word that 0.6 asks for, too, before the whole server changes."""

app = group("Run a server, ask it about itself, and say who may use it.")
app.add_typer(token.app, name="token")
app.add_typer(token.app, name="tokens", hidden=True)  # as 0.6 has it


@app.command(cls=StartCommand)
def start(
    ctx: typer.Context,
    dev_mode: Annotated[
        bool, typer.Option("--dev-mode", "-d", help="For trying out: own certificates, no tokens, this machine only.")
    ] = False,
) -> None:
    """Run a server until it is told to stop; --config names its configuration file.

    --help lists every setting with the variable that gives it.
    """
    # All that is imported stays: to look through it for garbage while it grows takes a tenth of the start. The server
    # begins to collect when it is ready.
    gc.disable()
    from gofer.serving import main

    raise typer.Exit(main(config_path=cli_of(ctx).flags.config, dev_mode=dev_mode))


app.command("init-config")(service_config.init_config)
app.command("check-config")(service_config.check_config)
app.command()(service_stop.stop)
app.command()(service_backup.backup)
app.command()(service_backup.restore)


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
            ("New runs", Cell("refused", Style.WARN) if found.ignore_pipeline_run_events else "taken"),
            *(("Note", Cell(note, Style.WARN)) for note in found.notes),
        ]
    )


@app.command("toggle-event-ingress")
@command
async def toggle_event_ingress(ctx: typer.Context, yes: YesOption = False) -> None:
    """Refuse every new run from now on, or take them again; a restart of the server goes by its settings."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        if not yes:
            closed = (await client.system.info()).ignore_pipeline_run_events
            what = "take new runs again" if closed else "refuse every new run, of all pipelines"
            confirm(cli.output, f"The server will {what}.", expected=SURE, yes=yes)
        taken = await client.system.toggle_event_ingress()
    cli.output.json(proto.ToggleEventIngressResponse(value=not taken))
    cli.output.success("the server takes new runs" if taken else "the server refuses every new run")


@app.command("repair-orphan")
@command
async def repair_orphan(ctx: typer.Context, pipeline: PipelineArgument, run: RunArgument) -> None:
    """Have a run that has not ended looked after again, where nobody does; for one that seems to hang."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        await client.runs.repair(pipeline, run)
        found = await client.runs.get(pipeline, run)
    cli.output.json(found)
    name = f"run {run} of {pipeline}"
    cli.output.success(
        f"{name} had ended: {state_of_run(found)}"
        if is_over(found)
        else f"{name} is looked after: {state_of_run(found)}"
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
