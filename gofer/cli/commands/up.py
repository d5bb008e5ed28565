"""`gofer up`: register and deploy the pipeline that a folder, file or stream holds."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.context import cli_of
from gofer.cli.output import Output

if TYPE_CHECKING:
    from gofer_sdk.pipeline.program import ProgramFailed
    from gofer_sdk.pipeline.source import MessageSource


@command
async def up(
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A folder or file: a program in Python, Go or Rust, or a ready message, binary or JSON; "
            "- is the standard input.",
        ),
    ] = ".",
    deploy: Annotated[
        bool, typer.Option("--deploy/--no-deploy", "-d", help="Make the new version the one that runs use.")
    ] = True,
    lang: Annotated[
        str, typer.Option("--lang", metavar="python|go|rust", help="Which one, where a folder has several.")
    ] = "",
) -> None:
    """Register the pipeline that a program describes, and deploy it."""
    cli = cli_of(ctx)
    config_bytes = await _read(path, lang, cli.output)
    from gofer_sdk.pipeline.message import MessageFault, decode_config

    try:
        config = decode_config(config_bytes)
    except MessageFault as fault:
        cli.output.failure(f"{path} gave no pipeline: {fault}")
        raise typer.Exit(ExitStatus.FAILED) from fault
    async with cli.client() as client:
        pipeline = await client.pipelines.register(config)
        version = pipeline.config.version if pipeline.config else 0
        cli.output.json(pipeline)
        cli.output.success(f"registered {config.id} ({config.name}), version {version}")
        if deploy:
            await client.pipelines.deploy(config.id, version)
            cli.output.success(f"deployed version {version}: new runs use it")
    start, live = f"gofer run start {config.id} --follow", f"gofer pipeline deploy {config.id} {version}"
    cli.output.hint(f"start a run: {start}" if deploy else f"make it the one that runs use: {live}")


async def _read(path: str, lang: str, output: Output) -> bytes:
    import asyncio

    from gofer_sdk.pipeline.program import ProgramFailed, run_program
    from gofer_sdk.pipeline.source import Language, MessageSource, SourceFault, find_source

    if lang and lang not in set(Language):
        raise typer.BadParameter(f"{lang!r} is not known: use {', '.join(Language)}", param_hint="--lang")
    try:
        source = find_source(path, language=Language(lang) if lang else None)
        if isinstance(source, MessageSource):
            return await asyncio.to_thread(_read_message, source)
        return await run_program(source, on_line=output.foreign_line)
    except SourceFault as fault:
        output.failure(str(fault))
        raise typer.Exit(ExitStatus.FAILED) from fault
    except ProgramFailed as failed:
        _tell_failure(failed, output)
        raise typer.Exit(ExitStatus.FAILED) from failed


def _read_message(source: "MessageSource") -> bytes:
    return source.file.read_bytes() if source.file else sys.stdin.buffer.read()


def _tell_failure(failed: "ProgramFailed", output: Output) -> None:
    # People have seen the lines as they came.
    lines = () if output.is_pretty else failed.last_lines
    hints = [f"run it by hand: {failed.command}"]
    if any("No module named 'gofer_sdk'" in line or "No module named gofer_sdk" in line for line in failed.last_lines):
        hints.append("the project's own .venv does not have Gofer: install it there, or remove the .venv")
    output.failure("\n".join((failed.reason, *lines, *hints)))
