"""Run the program that describes a pipeline, with its standard error shown while it runs."""

import asyncio
import shlex
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from gofer_sdk.pipeline.source import Language, ProgramSource, SourceFault, find_python

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_KEPT_LINES: Final = 15
_MAX_LINE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_END_GRACE_SECONDS: Final = 5


class ProgramFailed(Exception):
    """A program ended badly: its exit status, its last lines on the standard error, the command to repeat it."""

    def __init__(self, *, reason: str, command: str, last_lines: tuple[str, ...]) -> None:
        """Keep what happened."""
        super().__init__(reason)
        self.reason = reason
        self.command = command
        self.last_lines = last_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    arguments: tuple[str, ...]
    folder: Path

    def __str__(self) -> str:
        return f"cd {shlex.quote(str(self.folder))} && {shlex.join(self.arguments)}"


async def run_program(source: ProgramSource, *, on_line: Callable[[str], None]) -> bytes:
    """Build the program if need be, run it, and return what it writes on the standard output: a message.

    `on_line` gets each line of the standard error as it comes, without its end. A cancelled call ends the program.

    Raises:
        SourceFault: the language's tools are not installed.
        ProgramFailed: the build or the program ended with another status than 0, or wrote too much.

    """
    with tempfile.TemporaryDirectory(prefix="gofer-up-") as folder:
        output = b""
        for step in _steps(source, Path(folder)):
            output = await _run(step, on_line=on_line)
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
            return [
                _Step(arguments=("go", "build", "-o", program, "."), folder=source.folder),
                _Step(arguments=(program,), folder=source.folder),
            ]
        case Language.RUST:
            return [_Step(arguments=("cargo", "run", f"--manifest-path={source.file}"), folder=source.folder)]
    assert_never(source.language)


async def _run(step: _Step, *, on_line: Callable[[str], None]) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *step.arguments,
            cwd=step.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise SourceFault(f"{step.arguments[0]} is not installed, or not on PATH") from error
    try:
        kept: deque[str] = deque(maxlen=_KEPT_LINES)
        async with asyncio.TaskGroup() as group:
            output = group.create_task(_read_all(process.stdout), name="output of the program")
            group.create_task(_read_lines(process.stderr, kept=kept, on_line=on_line), name="errors of the program")
        status = await process.wait()
    finally:
        await _end(process)
    reason = None
    if status:
        reason = f"the program ended with the exit status {status}"
    elif output.result() is None:
        reason = f"the program wrote more than {MAX_MESSAGE_BYTES // 1024 // 1024} MiB, which is no pipeline"
    if reason:
        raise ProgramFailed(reason=reason, command=str(step), last_lines=tuple(kept))
    return output.result() or b""


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _read_all(stream: asyncio.StreamReader | None) -> bytes | None:
    """Return all that comes, None if it is more than a message may have; the rest is read then, too."""
    data = bytearray()
    while stream is not None and (part := await stream.read(_READ_BYTES)):
        if len(data) <= MAX_MESSAGE_BYTES:
            data += part
    return bytes(data) if len(data) <= MAX_MESSAGE_BYTES else None


async def _read_lines(stream: asyncio.StreamReader | None, *, kept: deque[str], on_line: Callable[[str], None]) -> None:
    rest = b""
    while stream is not None and (part := await stream.read(_READ_BYTES)):
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            lines.append(rest)
            rest = b""
        for line in lines:
            _tell(line, kept=kept, on_line=on_line)
    if rest:
        _tell(rest, kept=kept, on_line=on_line)


def _tell(line: bytes, *, kept: deque[str], on_line: Callable[[str], None]) -> None:
    text = line.decode(errors="replace").rstrip("\r")
    kept.append(text)
    on_line(text)
