"""Everything that the commands print goes through here: data to the standard output, talk to the standard error."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Protocol, TextIO

from gofer.cli.neutral import LogFilter, plain, shown_log
from gofer.cli.streams import losses_of
from gofer.cli.tables import Cell, Style, painted, render_fields, render_table, wrapped
from gofer.config.client_flags import OutputFormat

_MARK_WIDTH: Final = 2
"""What a mark and the space behind it take."""
_PIPE_WIDTH: Final = 10_000
"""How wide a line may be where no terminal limits it."""


_CANONICAL_NAMES: Final = {"deployments": "Deployments"}
"""Fields whose canonical name the generated code misses: it takes no name to begin with a capital."""


class Message(Protocol):
    """A message of the wire, as far as printing it goes."""

    def to_dict(self) -> dict[str, object]:
        """Return its canonical JSON as a tree."""
        ...


class Mark(Enum):
    """What a line of talk begins with."""

    SUCCESS = ("✓", "+", Style.GOOD)
    FAILURE = ("x", "x", Style.BAD)
    WARNING = ("!", "!", Style.WARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where and how to print. `detail` asks for exact times."""

    format: OutputFormat = OutputFormat.PRETTY
    no_color: bool = False
    detail: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)

    @property
    def is_pretty(self) -> bool:
        """Whether people are to read it."""
        return self.format is OutputFormat.PRETTY

    @property
    def is_json(self) -> bool:
        """Whether programs are to read it."""
        return self.format is OutputFormat.JSON

    @property
    def is_terminal(self) -> bool:
        """Whether the standard output is a terminal."""
        return self.stdout.isatty()

    @property
    def has_color(self) -> bool:
        """Whether the standard output gets colours."""
        return self.is_terminal and not self.no_color and os.environ.get("TERM") != "dumb"

    @property
    def has_live_terminal(self) -> bool:
        """Whether the standard output is a terminal that can be drawn on."""
        return self.is_terminal and os.environ.get("TERM") not in {None, "", "dumb"}

    @property
    def has_live_talk(self) -> bool:
        """Whether people see the standard error on a terminal that can be drawn on."""
        return self.is_pretty and self.stderr.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}

    @property
    def is_ascii(self) -> bool:
        """Whether the standard output takes nothing but ASCII."""
        return "utf" not in (self.stdout.encoding or "").lower()

    @property
    def width(self) -> int:
        """How many characters a line may have."""
        return shutil.get_terminal_size().columns if self.is_terminal else _PIPE_WIDTH

    def now(self) -> datetime:
        """Return the time that words like "5 minutes ago" start from."""
        return datetime.now(UTC)

    def json(self, message: Message) -> None:
        """Print the canonical JSON of a message on one line, if programs are to read."""
        if self.is_json:
            tree = {_CANONICAL_NAMES.get(name, name): value for name, value in message.to_dict().items()}
            # The one control character that JSON does not escape.
            self._write(self.stdout, json.dumps(tree).replace("\x7f", "\\u007f") + "\n")

    def line(self, text: str = "") -> None:
        """Print a line of data for people; control characters become spaces."""
        if self.is_pretty:
            self._write(self.stdout, f"{plain(text)}\n")

    def fields(self, rows: Sequence[tuple[str, Cell | str]]) -> None:
        """Print names and values for people, a line each; values are cut at the end of a terminal's line."""
        if self.is_pretty:
            self._print_lines(render_fields(rows, width=self.width, color=self.has_color))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> None:
        """Print a table for people; the last columns give way where a terminal is too narrow."""
        if self.is_pretty:
            self._print_lines(render_table(headers, rows, width=self.width, color=self.has_color))

    def painted(self, lines: Sequence[Cell]) -> None:
        """Print lines of data for people, each in the colour of its meaning; none is cut."""
        if self.is_pretty and lines:
            self._print_lines([painted(plain(line.text), line.style, color=self.has_color) for line in lines])

    def raw(self, data: bytes) -> None:
        """Print bytes as they are, for people and their pipes."""
        if not self.is_pretty:
            return
        with losses_of(self.stdout):
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.flush()

    def log(self, chunk: bytes, log_filter: LogFilter | None) -> None:
        """Print a part of a log; with a filter, which a terminal needs, without what would play tricks on it."""
        if log_filter is None:
            self.raw(chunk)
        elif self.is_pretty:
            self._write(self.stdout, log_filter.feed(chunk))

    def end_log(self, log_filter: LogFilter | None) -> None:
        """Print what a filter holds at the end of a log."""
        if log_filter is not None and self.is_pretty:
            self._write(self.stdout, log_filter.end())

    def log_lines(self, lines: Sequence[str]) -> None:
        """Print lines of logs for people; they are safe for a terminal already, and keep their colours."""
        if self.is_pretty and lines:
            self._print_lines(lines)

    def foreign_line(self, line: str) -> None:
        """Show people a line that a program of theirs wrote on its standard error."""
        if self.is_pretty:
            self._write(self.stderr, f"{shown_log(line)}\n")

    def more(self, cursor: str) -> None:
        """Tell people that a list goes on, if it does."""
        if cursor:
            self.hint("there are more: raise --limit")

    def success(self, text: str) -> None:
        """Tell people that something is done."""
        if self.is_pretty:
            self._talk(Mark.SUCCESS, text)

    def hint(self, text: str) -> None:
        """Tell people what they might do next, or what goes on; control characters become spaces."""
        if self.is_pretty:
            self._write(self.stderr, f"{plain(text)}\n")

    def warning(self, text: str) -> None:
        """Tell what should be known, in lines that a terminal need not break within words."""
        if self.format is not OutputFormat.SILENT:
            room = shutil.get_terminal_size().columns - _MARK_WIDTH if self.stderr.isatty() else _PIPE_WIDTH
            self._talk(Mark.WARNING, f"\n{' ' * _MARK_WIDTH}".join(wrapped(plain(text), room)))

    def failure(self, text: str) -> None:
        """Tell what went wrong; several lines are allowed."""
        if self.format is not OutputFormat.SILENT:
            self._talk(Mark.FAILURE, text)

    def ask(self, question: str) -> None:
        """Put a question to people, on the line that their answer is typed in."""
        self._write(self.stderr, f"? {plain(question)} ")

    def end_question(self) -> None:
        """Go to the next line, where a question was not answered with one."""
        self._write(self.stderr, "\n")

    def _talk(self, mark: Mark, text: str) -> None:
        sign, ascii_sign, style = mark.value
        encodable = "utf" in (self.stderr.encoding or "").lower()
        color = self.stderr.isatty() and not self.no_color and os.environ.get("TERM") != "dumb"
        first, *more = (plain(line) for line in text.split("\n"))
        lines = [f"{painted(sign if encodable else ascii_sign, style, color=color)} {first}", *more]
        self._write(self.stderr, "\n".join(lines) + "\n")

    def _print_lines(self, lines: Sequence[str]) -> None:
        self._write(self.stdout, "".join(f"{line}\n" for line in lines))

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        encoding = stream.encoding or "utf-8"
        with losses_of(stream):
            stream.write(text.encode(encoding, errors="replace").decode(encoding))
            # Who reads a stream through a pipe wants each line as it comes.
            stream.flush()
