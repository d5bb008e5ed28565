"""`gofer doctor`: what is wrong with a set-up, and how to mend it."""

from typing import TYPE_CHECKING

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.context import CliContext, cli_of
from gofer.core.errors import InvalidInput

if TYPE_CHECKING:
    from gofer.cli.diagnosis.finding import Finding


@command
async def doctor(ctx: typer.Context) -> None:
    """Say what is wrong with your set-up, and what mends it; exit status 1 if anything has to be mended.

    It looks at the settings and their file, the server, its certificate, version and clock, your token and your
    namespace; on a server's own machine at its configuration and disk, too. It changes nothing.
    """
    import asyncio

    from gofer.cli.diagnosis.files import look_at_own_files, look_at_server_files
    from gofer.cli.diagnosis.finding import Diagnosis, show_diagnosis

    cli = cli_of(ctx)
    findings = [
        *await asyncio.to_thread(lambda: list(look_at_own_files(cli))),
        *await _ask_server(cli),
        *await asyncio.to_thread(lambda: list(look_at_server_files(cli))),
    ]
    diagnosis = Diagnosis(findings=findings)
    show_diagnosis(diagnosis, cli.output)
    if not diagnosis.is_well:
        raise typer.Exit(ExitStatus.FAILED)


async def _ask_server(cli: CliContext) -> "list[Finding]":
    from gofer.cli.diagnosis.access import look_at_access
    from gofer.cli.diagnosis.finding import bad
    from gofer.cli.diagnosis.server import PATIENCE, look_at_server

    try:
        cli.settings  # noqa: B018 (what is wrong with them was found before)
    except InvalidInput:
        return []
    try:
        opened = cli.client(patience=PATIENCE)
    except InvalidInput as error:
        return [bad("settings", error.message, mend="gofer context shows where each setting comes from")]
    async with opened as client:
        findings, answers = await look_at_server(cli, client)
        if answers:
            findings.extend([finding async for finding in look_at_access(cli, client)])
    return findings
