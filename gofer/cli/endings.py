"""What every view of a followed run says in the same words: lines of logs, and how a task run ended."""

from typing import TYPE_CHECKING, Final

from gofer.cli.neutral import plain, shown_log
from gofer.cli.output import Output
from gofer.cli.states import exit_code_of, state_of_task_run
from gofer.cli.words import NOTHING, span

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

_MAX_HELD_BYTES: Final = 64 * 1024
"""A line that is longer is shown in parts."""


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
        # A carriage return within would let a line overwrite the name before it.
        text = shown_log(line.decode(errors="replace")).rstrip("\r").replace("\r", " ")
        return f"{plain(task):<{self._width}} | {text}"


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
