"""A run as a live picture on a terminal: its tasks below, their logs running by above."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gofer.cli.endings import LogLines, ending_of
from gofer.cli.neutral import plain
from gofer.cli.output import Output
from gofer.cli.states import look_of, state_of_task_run
from gofer.cli.tables import Style
from gofer.cli.words import counted, span

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

_REFRESHES_PER_SECOND: Final = 8
_MAX_ROWS: Final = 16
_OTHER_LINES: Final = 6
"""What a terminal has to have left besides the rows of tasks."""

_ORDER: Final = ("Running", "Failed", "Cancelled", "Waiting", "Successful", "Skipped")


@dataclass(slots=True, kw_only=True)
class _Task:
    state: str
    started: int = 0
    ended: int = 0


class LiveView:
    """Shows the tasks that matter most, as many as the terminal has room for, and prints all logs above them."""

    def __init__(self, output: Output, *, is_old: bool = False) -> None:
        self._output = output
        self._is_old = is_old
        self._lines = LogLines()
        self._tasks: dict[str, _Task] = {}
        self._headline = "the run has ended" if is_old else "the run waits for its turn"
        self._spinner = Spinner("line" if output.is_ascii else "dots", style=rich_color(Style.BUSY))
        self._console = Console(file=output.stdout, no_color=output.no_color, highlight=False, markup=False)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Show the picture for the length of the block; it is taken away afterwards, the logs stay."""
        with self._live:
            yield self
        self._output.line()

    def event(self, event: "proto.Event") -> None:
        """Take note of what concerns the run as a whole."""
        match event.type:
            case _ if self._is_old:
                pass
            case "RUN_ADMITTED":
                self._headline = "the run has begun"
            case "RUN_CANCEL_REQUESTED":
                self._headline = "the run is being cancelled"
            case _:
                pass

    def task_waits(self, task: str) -> None:
        """Show a task that waits."""
        self._lines.name(task)
        self._tasks[task] = _Task(state="Waiting")

    def task_started(self, task: str, *, at: int) -> None:
        """Show a task that runs."""
        self._lines.name(task)
        self._tasks[task] = _Task(state="Running", started=at)

    def log(self, task: str, data: bytes) -> None:
        """Print the lines that are whole."""
        self._print(self._lines.cut(task, data))

    def task_ended(self, task_run: "proto.TaskRun") -> None:
        """Print the rest of a task's log and how it ended."""
        state = state_of_task_run(task_run)
        self._tasks[task_run.id] = _Task(state=state, started=task_run.started, ended=task_run.ended)
        self._print(self._lines.rest(task_run.id))
        ending = Text(plain(f"{task_run.id}: {ending_of(task_run, self._output)}"), style=_color(state))
        self._console.print(ending, soft_wrap=True)

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)

    def _picture(self) -> Group:
        now = datetime.now(UTC)
        table = Table.grid(padding=(0, 2))
        shown = list(self._most_important())
        for name, task in shown:
            look = look_of(task.state)
            sign = (
                self._spinner if task.state == "Running" else (look.ascii_sign if self._output.is_ascii else look.sign)
            )
            style = _color(task.state)
            table.add_row(
                sign if isinstance(sign, Spinner) else Text(sign, style=style),
                Text(plain(name)),
                Text(task.state, style=style),
                Text(span(task.started, task.ended, now=now)),
            )
        return Group(Text(""), Text(self._summary(), style="bold", overflow="ellipsis", no_wrap=True), table)

    def _summary(self) -> str:
        if not self._tasks:
            return self._headline
        counts: dict[str, int] = {}
        for task in self._tasks.values():
            counts[task.state] = counts.get(task.state, 0) + 1
        states = ", ".join(f"{counts[state]:,} {state.lower()}" for state in _ORDER if state in counts)
        return f"{self._headline}: {counted(len(self._tasks), 'task')}, {states}"

    def _most_important(self) -> Iterator[tuple[str, _Task]]:
        room = max(min(_MAX_ROWS, shutil.get_terminal_size().lines - _OTHER_LINES), 1)
        ranked = sorted(
            enumerate(self._tasks.items()),
            key=lambda numbered: _ORDER.index(numbered[1][1].state) if numbered[1][1].state in _ORDER else 0,
        )[:room]
        return (item for _, item in sorted(ranked))


def _color(state: str) -> str:
    style = look_of(state).style
    return rich_color(style) if style else ""


def rich_color(style: Style) -> str:
    """Return how Rich calls a colour of ours."""
    return f"color({style.value.rpartition(';')[2]})"
