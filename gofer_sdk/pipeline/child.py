"""A program of somebody else's in a process group of its own, of which nothing is left when the call ends."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

_KEPT_LINES: Final = 15
_MAX_LINE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_END_GRACE_SECONDS: Final = 3
_DRAIN_SECONDS: Final = 2
"""How long a pipe is read on that a process outside of the group holds open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: its exit status (negative: the signal that ended it) and what it wrote.

    `is_too_much` says that it wrote more on the standard output than it may, and was ended for that.
    """

    status: int
    output: bytes
    is_too_much: bool
    last_lines: tuple[str, ...]


class StillRunning(Exception):
    """A program was not done in its time, and was ended; `last_lines` are its last ones on the standard error."""

    def __init__(self, *, last_lines: tuple[str, ...]) -> None:
        """Keep the lines."""
        super().__init__("the program was not done in its time")
        self.last_lines = last_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run, and within which limits. `deadline` is a time of the loop's clock, None = no limit.

    `on_line` gets each line of the standard error as it comes, without its end; one that is too long comes in parts.
    """

    arguments: Sequence[str]
    folder: Path
    max_output_bytes: int
    deadline: float | None
    on_line: Callable[[str], None]

    async def run(self) -> Ended:
        """Run the program to its end; then end whatever it has left behind in its process group.

        A cancelled call ends the whole group, too: SIGTERM, and SIGKILL for what lingers.

        Raises:
            FileNotFoundError: there is no such program.
            PermissionError: it can't be run.
            StillRunning: it was not done by the deadline.

        """
        async with _pipe() as (output, output_end), _pipe() as (errors, errors_end):
            # A session of its own has no terminal either: what would ask a question there fails at once.
            process = await asyncio.create_subprocess_exec(
                *self.arguments,
                cwd=self.folder,
                stdin=DEVNULL,
                stdout=output_end,
                stderr=errors_end,
                start_new_session=True,
            )
            output_end.close()
            errors_end.close()
            lines = _Lines(errors, on_line=self.on_line)
            try:
                async with asyncio.timeout_at(self.deadline):
                    return await self._watch(process, _Output(output, limit_bytes=self.max_output_bytes), lines)
            except TimeoutError:
                raise StillRunning(last_lines=lines.end()) from None
            finally:
                await _end_group(process)

    @staticmethod
    async def _watch(process: Process, output: "_Output", lines: "_Lines") -> Ended:
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(output.read(), name="output of the program"),
                group.create_task(lines.read(), name="errors of the program"),
            ]
            ended = group.create_task(process.wait(), name="end of the program")
            full = group.create_task(output.is_full.wait(), name="too much output")
            await asyncio.wait((ended, full), return_when=asyncio.FIRST_COMPLETED)
            await _end_group(process)
            await asyncio.wait(readers, timeout=_DRAIN_SECONDS)
            for each in (*readers, full):
                each.cancel()
        return Ended(
            status=ended.result(),
            output=bytes(output.data),
            is_too_much=output.is_full.is_set(),
            last_lines=lines.end(),
        )


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, FileIO]]:
    """Give the two ends of a pipe; asyncio's own would have the end of the program wait for the end of its pipes."""
    read_fd, write_fd = os.pipe()
    with FileIO(write_fd, "wb") as write_end, FileIO(read_fd, "rb") as read_end:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), read_end
        )
        try:
            yield reader, write_end
        finally:
            transport.close()
            # The transport takes its last step, which uses the file, in the loop's next turn.
            await asyncio.sleep(0)


async def _end_group(process: Process) -> None:
    """End all that is left of the program's group; in the end by SIGKILL, even if this is cancelled."""
    try:
        if process.returncode is None:
            _signal_group(process, signal.SIGTERM)
            async with asyncio.timeout(_END_GRACE_SECONDS):
                await process.wait()
    except TimeoutError:
        pass
    finally:
        _signal_group(process, signal.SIGKILL)
        # Also where the grace was cut short: a process that nobody has waited for is left to the loop's end.
        await process.wait()


def _signal_group(process: Process, number: signal.Signals) -> None:
    # The leader's number names the group as long as anybody is in it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Output:
    """The standard output, up to a limit."""

    def __init__(self, stream: asyncio.StreamReader, *, limit_bytes: int) -> None:
        self._stream = stream
        self.data = bytearray()
        self.is_full = asyncio.Event()
        self._limit_bytes = limit_bytes

    async def read(self) -> None:
        """Read to the end, or past the limit."""
        while part := await self._stream.read(_READ_BYTES):
            self.data += part
            if len(self.data) > self._limit_bytes:
                self.is_full.set()
                return


class _Lines:
    """The lines of the standard error, the last of which are kept."""

    def __init__(self, stream: asyncio.StreamReader, *, on_line: Callable[[str], None]) -> None:
        self._stream = stream
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)
        self._on_line = on_line
        self._rest = b""

    async def read(self) -> None:
        """Tell of each line, to the end."""
        while part := await self._stream.read(_READ_BYTES):
            *lines, self._rest = (self._rest + part).split(b"\n")
            if len(self._rest) > _MAX_LINE_BYTES:
                lines.append(self._rest)
                self._rest = b""
            for line in lines:
                self._tell(line)

    def end(self) -> tuple[str, ...]:
        """Tell of a last line without end; return the last lines."""
        if self._rest:
            self._tell(self._rest)
            self._rest = b""
        return tuple(self._kept)

    def _tell(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._kept.append(text)
        self._on_line(text)
