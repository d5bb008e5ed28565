"""`gofer service backup` and `restore`: all that a server keeps, in one folder."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from gofer.cli.aio import ExitStatus
from gofer.cli.context import CliContext, cli_of

if TYPE_CHECKING:
    from gofer.cli.output import Output
    from gofer.config.settings import Settings

DevMode = Annotated[bool, typer.Option("--dev-mode", "-d", help="Of a server that is started in dev mode.")]


def backup(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where to put it: a folder that is not there yet.")],
    dev_mode: DevMode = False,
) -> None:
    """Copy all that a server of this machine keeps to a folder, while it runs or not.

    Databases, secrets, objects and logs are copied as they are at one moment. Run it as the user that the server runs
    as; --config names its configuration file. The encryption key of the settings is not in the backup: keep it
    elsewhere, for without it no secret can be read.
    """
    from gofer.backups import make_backup
    from gofer.config.homes import expanded
    from gofer.core.errors import GoferError

    output, settings = _server_of(ctx, dev_mode=dev_mode)
    try:
        manifest = make_backup(settings, expanded(folder).absolute(), tell=output.hint)
    except GoferError as error:
        output.failure(error.message)
        raise typer.Exit(ExitStatus.FAILED) from None
    output.json(manifest)
    output.success(f"{folder} holds {len(manifest.files)} files, {manifest.size_bytes / 1024**2:.1f} MiB")


def restore(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A backup.")],
    dev_mode: DevMode = False,
) -> None:
    """Put what a backup holds where the settings of a server say, and nothing is yet.

    The server must not run; its key must be the one that it had. Each file is compared with what was backed up. Never
    start the server of the backup again beside the restored one: both would take the same containers for theirs.
    """
    from gofer.backups import restore_backup
    from gofer.config.homes import expanded
    from gofer.core.errors import GoferError

    output, settings = _server_of(ctx, dev_mode=dev_mode)
    try:
        manifest = restore_backup(settings, expanded(folder).absolute(), tell=output.hint)
    except GoferError as error:
        output.failure(error.message)
        raise typer.Exit(ExitStatus.FAILED) from None
    output.json(manifest)
    output.success(f"{settings.data_folder} is as it was at {manifest.made_at}")


def _server_of(ctx: typer.Context, *, dev_mode: bool) -> "tuple[Output, Settings]":
    from gofer.checking import check

    flags = cli_of(ctx).flags
    output = CliContext(flags=replace(flags, config=None)).output  # --config is the server's file here
    checked = check(config_path=flags.config, dev_mode=dev_mode)
    if checked.settings is None:
        for fault in checked.faults:
            output.failure(fault)
        raise typer.Exit(ExitStatus.FAILED)
    return output, checked.settings
