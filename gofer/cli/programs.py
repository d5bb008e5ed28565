"""Read the message that `gofer up` is given: run the program that prints it, or read it as it is."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import typer

from gofer.cli.aio import ExitStatus
from gofer.cli.output import Output
from gofer.cli.prompts import interruptible
from gofer_sdk.pipeline.message import MessageFault, decode_config
from gofer_sdk.pipeline.program import ProgramFailed, run_program
from gofer_sdk.pipeline.source import Language, MessageSource, SourceFault, find_source
from gofer_sdk.rules.durations import parse_duration

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

_SIGNAL_STATUS: Final = 128
"""What a shell adds to a signal's number for the exit status of what it ended."""
_SHOWN_BYTES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What to read: a folder, a file or `-`; which language, empty where it is clear; how long it may take."""

    path: str
    language: str
    timeout: str


async def read_config(where: Where, output: Output) -> "proto.UserPipelineConfig":
    """Return the pipeline that a program or message describes; the program's lines are shown as they come.

    Raises:
        typer.BadParameter: the language or the time can't be understood.
        typer.Exit: there is no pipeline; why has been told.

    """
    language, limit = _language(where.language), _limit(where.timeout)
    try:
        source = find_source(where.path, language=language)
        if isinstance(source, MessageSource):
            return _read_message(source)
        with _ended_by_signals():
            data = await run_program(source, on_line=output.foreign_line, limit=limit)
    except SourceFault as fault:
        output.failure(str(fault))
        raise typer.Exit(ExitStatus.FAILED) from fault
    except ProgramFailed as failed:
        _tell_failure(failed, output)
        raise typer.Exit(ExitStatus.FAILED) from failed
    except MessageFault as fault:
        output.failure(f"{where.path} gave no pipeline: {fault}")
        raise typer.Exit(ExitStatus.FAILED) from fault
    return _printed(data, where.path, output)


def _language(name: str) -> Language | None:
    if name and name not in set(Language):
        raise typer.BadParameter(f"{name!r} is not known: use {', '.join(Language)}", param_hint="--lang")
    return Language(name) if name else None


def _limit(text: str) -> timedelta | None:
    try:
        limit = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from error
    if limit < timedelta():
        raise typer.BadParameter(f"{text} is less than nothing: 0 means no limit", param_hint="--timeout")
    return limit or None


def _read_message(source: MessageSource) -> "proto.UserPipelineConfig":
    # Not in a thread, which nobody could interrupt: nothing else goes on here meanwhile.
    with interruptible():
        return decode_config(source.file.read_bytes() if source.file else sys.stdin.buffer.read())


def _printed(data: bytes, path: str, output: Output) -> "proto.UserPipelineConfig":
    try:
        return decode_config(data)
    except MessageFault as fault:
        lines = [f"the program in {path} printed no pipeline: {fault}"]
        if data.strip():
            lines.append(f"what it printed begins with {data[:_SHOWN_BYTES]!r}")
        lines.append("its standard output has to hold the message and nothing else: print the rest as errors (stderr)")
        output.failure("\n".join(lines))
        raise typer.Exit(ExitStatus.FAILED) from fault


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what the block has started, and then this process, as Ctrl-C does."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came: list[signal.Signals] = []

    def cancel(number: signal.Signals) -> None:
        came.append(number)
        if task is not None:
            task.cancel()

    # What is ignored, as under nohup, stays so.
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, cancel, number)
    try:
        yield
    except asyncio.CancelledError:
        if not came:
            raise
        raise typer.Exit(_SIGNAL_STATUS + came[0]) from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _tell_failure(failed: ProgramFailed, output: Output) -> None:
    # People have seen the lines as they came.
    lines = () if output.is_pretty else failed.last_lines
    hints = [f"run it by hand: {failed.command}"]
    if failed.is_late:
        hints.append("if it only needs longer, say so: --timeout 30m")
    if any("No module named 'gofer_sdk'" in line or "No module named gofer_sdk" in line for line in failed.last_lines):
        hints.append("the project's own .venv does not have Gofer: install it there, or remove the .venv")
    output.failure("\n".join((failed.reason, *lines, *hints)))
