"""What is shown of a run that is followed: lines, JSON, nothing, or a live picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gofer.cli.endings import LogLines, ending_of
from gofer.cli.output import Output
from gofer.config.client_flags import OutputFormat

if TYPE_CHECKING:
    from gofer.cli.follow import View
    from gofer_sdk._proto import proto


@asynccontextmanager
async def view_for(output: Output, *, is_old: bool = False) -> "AsyncIterator[View]":
    """Give the view that fits where the output goes, for the length of the block.

    What happens to the run as a whole is no news where it `is_old`, that is, had ended before.
    """
    if output.is_pretty and output.has_live_terminal:
        from gofer.cli.live import LiveView

        async with LiveView(output, is_old=is_old).running() as live:
            yield live
        return
    view = PlainView(output, is_old=is_old) if output.format is OutputFormat.PRETTY else EventView(output)
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


class PlainView:
    """Lines: what becomes of each task as it happens, and its log with its id before it."""

    def __init__(self, output: Output, *, is_old: bool = False) -> None:
        self._output = output
        self._is_old = is_old
        self._lines = LogLines()

    def event(self, event: "proto.Event") -> None:
        """Print what concerns the run as a whole."""
        match event.type:
            case _ if self._is_old:
                pass
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
