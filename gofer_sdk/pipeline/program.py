"""Run the program that describes a pipeline, with its standard error shown while it runs."""

import asyncio
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, assert_never

from gofer_sdk.pipeline.child import Child, Ended, StillRunning
from gofer_sdk.pipeline.source import Language, ProgramSource, SourceFault, find_python

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
DEFAULT_LIMIT: Final = timedelta(minutes=10)
"""A first build fetches and compiles what the program depends on."""


class ProgramFailed(Exception):
    """A program ended badly: its exit status, its last lines on the standard error, the command to repeat it.

    `is_late` says that it was ended because it was not done in time.
    """

    def __init__(self, *, reason: str, command: str, last_lines: tuple[str, ...], is_late: bool = False) -> None:
        """Keep what happened."""
        super().__init__(reason)
        self.reason = reason
        self.command = command
        self.last_lines = last_lines
        self.is_late = is_late


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    arguments: tuple[str, ...]
    folder: Path
    repeat: tuple[str, ...] = ()
    """What a person runs instead, where `arguments` name what is gone by then."""

    def __str__(self) -> str:
        return f"cd {shlex.quote(str(self.folder))} && {shlex.join(self.repeat or self.arguments)}"


async def run_program(
    source: ProgramSource, *, on_line: Callable[[str], None], limit: timedelta | None = DEFAULT_LIMIT
) -> bytes:
    """Build the program if need be, run it, and return what it writes on the standard output: a message.

    `on_line` gets each line of the standard error as it comes, without its end. `limit` is for build and run together,
    None = none. Nothing of the program's process group is left in the end, also where the call is cancelled.

    Raises:
        SourceFault: the language's tools are not installed, or can't be run.
        ProgramFailed: the build or the program ended with another status than 0, wrote too much, or was not done in
            time.

    """
    deadline = None if limit is None else asyncio.get_running_loop().time() + limit.total_seconds()
    with tempfile.TemporaryDirectory(prefix="gofer-up-", ignore_cleanup_errors=True) as folder:
        output = b""
        for step in _steps(source, Path(folder)):
            output = await _run(step, on_line=on_line, deadline=deadline)
        return output


def _steps(source: ProgramSource, scratch: Path) -> Sequence[_Step]:
    match source.language:
        case Language.PYTHON:
            python = str(find_python(source.folder) or sys.executable)
            return [
                _Step(arguments=(python, "-P", "-m", "gofer_sdk.pipeline.load", str(source.file)), folder=source.folder)
            ]
        case Language.GO:
            program = str(scratch / "pipeline")
            # -v names each package that is compiled: a first build takes a while.
            return [
                _Step(
                    arguments=("go", "build", "-o", program, "-v", "."),
                    folder=source.folder,
                    repeat=("go", "build", "-v", "."),
                ),
                _Step(arguments=(program,), folder=source.folder, repeat=("go", "run", ".")),
            ]
        case Language.RUST:
            return [_Step(arguments=("cargo", "run", f"--manifest-path={source.file}"), folder=source.folder)]
    assert_never(source.language)


async def _run(step: _Step, *, on_line: Callable[[str], None], deadline: float | None) -> bytes:
    child = Child(
        arguments=step.arguments,
        folder=step.folder,
        max_output_bytes=MAX_MESSAGE_BYTES,
        deadline=deadline,
        on_line=on_line,
    )
    try:
        ended = await child.run()
    except FileNotFoundError as error:
        raise SourceFault(f"{step.arguments[0]} is not installed, or not on PATH") from error
    except PermissionError as error:
        raise SourceFault(f"{step.arguments[0]} can't be run: {error.strerror}") from error
    except StillRunning as late:
        reason = "the program was not done in time, and was ended"
        raise ProgramFailed(reason=reason, command=str(step), last_lines=late.last_lines, is_late=True) from late
    failure = _failure_of(ended)
    if failure:
        raise ProgramFailed(reason=failure, command=str(step), last_lines=ended.last_lines)
    return ended.output


def _failure_of(ended: Ended) -> str | None:
    if ended.is_too_much:
        return f"the program wrote more than {MAX_MESSAGE_BYTES // 1024 // 1024} MiB, which is no pipeline"
    if ended.status < 0:
        return f"the program was ended by the signal {_name_of(-ended.status)}"
    return f"the program ended with the exit status {ended.status}" if ended.status else None


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
