"""What is shown of a run that is followed: lines, JSON, nothing, or a live picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from gofer.cli.neutral import shown_log
from gofer.cli.output import Output
from gofer.cli.states import exit_code_of, state_of_task_run
from gofer.cli.words import NOTHING, span
from gofer.config.client_settings import OutputFormat

if TYPE_CHECKING:
    from gofer.cli.follow import View
    from gofer_sdk._proto import proto

_MAX_HELD_BYTES: Final = 64 * 1024
"""A line that is longer is shown in parts."""


@asynccontextmanager
async def view_for(output: Output) -> "AsyncIterator[View]":
    """Give the view that fits where the output goes, for the length of the block."""
    if output.is_pretty and output.has_live_terminal:
        from gofer.cli.live import LiveView

        async with LiveView(output).running() as live:
            yield live
        return
    view = PlainView(output) if output.format is OutputFormat.PRETTY else EventView(output)
    yield view
    view.close()


class EventView:
    """Events as JSON, one a line, or nothing at all; logs are no JSON."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def event(self, event: "proto.Event") -> None:
        """Print an event."""
        self._output.json(event)

    def task_waits(self, task: str) -> None:
        """Print nothing."""

    def task_started(self, task: str, *, at: int) -> None:
        """Print nothing."""

    def log(self, task: str, data: bytes) -> None:
        """Print nothing."""

    def task_ended(self, task_run: "proto.TaskRun") -> None:
        """Print nothing."""

    def close(self) -> None:
        """Print nothing."""


class LogLines:
    """Cuts the logs of several tasks into whole lines, each with its task before it."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}
        self._width = 0

    def name(self, task: str) -> None:
        """Make room for a task's id before the lines."""
        self._width = max(self._width, len(task))

    def cut(self, task: str, data: bytes) -> list[str]:
        """Return the lines that are whole by now, made safe for a terminal."""
        *lines, rest = (self._held.get(task, b"") + data).split(b"\n")
        if len(rest) > _MAX_HELD_BYTES:
            lines.append(rest)
            rest = b""
        self._held[task] = rest
        return [self._line(task, line) for line in lines]

    def rest(self, task: str) -> list[str]:
        """Return what is left at the end of a task's log."""
        held = self._held.pop(task, b"")
        return [self._line(task, held)] if held else []

    def _line(self, task: str, line: bytes) -> str:
        return f"{task:<{self._width}} | {shown_log(line.decode(errors='replace')).rstrip(chr(13))}"


class PlainView:
    """Lines: what becomes of each task as it happens, and its log with its id before it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lines = LogLines()

    def event(self, event: "proto.Event") -> None:
        """Print what concerns the run as a whole."""
        match event.type:
            case "RUN_ADMITTED":
                self._output.line("the run has begun")
            case "RUN_CANCEL_REQUESTED":
                self._output.line("the run is being cancelled")
            case _:
                pass

    def task_waits(self, task: str) -> None:
        """Make room for the task's id."""
        self._lines.name(task)

    def task_started(self, task: str, *, at: int) -> None:  # noqa: ARG002
        """Print that a task has started."""
        self._lines.name(task)
        self._output.line(f"{task}: started")

    def log(self, task: str, data: bytes) -> None:
        """Print the lines that are whole."""
        self._output.log_lines(self._lines.cut(task, data))

    def task_ended(self, task_run: "proto.TaskRun") -> None:
        """Print the rest of a task's log and how it ended."""
        self._output.log_lines(self._lines.rest(task_run.id))
        self._output.line(f"{task_run.id}: {ending_of(task_run, self._output)}")

    def close(self) -> None:
        """Leave an empty line before what follows."""
        self._output.line()


def ending_of(task_run: "proto.TaskRun", output: Output) -> str:
    """Say how a task run has ended: its state, exit code, duration and reason."""
    state = state_of_task_run(task_run)
    parts = [state.lower()]
    code = exit_code_of(task_run)
    if code not in {NOTHING, "0"}:
        parts.append(f"exit code {code}")
    if task_run.started:
        parts.append(span(task_run.started, task_run.ended, now=output.now()))
    if task_run.status_reason and task_run.status_reason.description:
        parts.append(task_run.status_reason.description)
    return ", ".join(parts)
