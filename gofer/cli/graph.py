"""Draw a graph of tasks beside a list of them: a line for each, its parents above it and to its left.

    ● build
    ├─● document
    ╰─● check
      ├─● clean_up
      ╰─│─● publish
        ╰─┴─● report

A task stands in a column of its own, right of its parents and of every line that runs on. From a task with children a
line runs down its column to the last of them; `│` between dashes is a line that passes behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_ASCII: Final = str.maketrans("│─├╰┴┼", "|-+`++")


def ordered(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks with each after its parents and, where that allows, right after the last of them.

    `parents` maps ids to ids of parents; parents that it doesn't have don't count. Tasks of a circle come last.
    """
    children = _children(parents)
    waiting = {task: sum(parent in parents for parent in needed) for task, needed in parents.items()}
    ready = [task for task in reversed(tuple(parents)) if not waiting[task]]
    order: list[str] = []
    while ready:
        task = ready.pop()
        order.append(task)
        freed: list[str] = []
        for child in children[task]:
            waiting[child] -= 1
            if not waiting[child]:
                freed.append(child)
        ready.extend(reversed(freed))
    done = set(order)
    return [*order, *(task for task in parents if task not in done)]


def draw(parents: Mapping[str, Sequence[str]], *, max_columns: int, ascii_only: bool = False) -> dict[str, str] | None:
    """Return what to write before the bullet of each task, in the order to list them.

    None where the graph is too wide for `max_columns` columns (of two characters each) or has a circle.
    """
    drawing = _Drawing(parents)
    lines: dict[str, str] = {}
    for task in ordered(parents):
        line = drawing.line_of(task)
        if line is None or drawing.width > max_columns:
            return None
        lines[task] = line.translate(_ASCII) if ascii_only else line
    return lines


class _Drawing:
    """The columns while the lines are made from top to bottom."""

    def __init__(self, parents: Mapping[str, Sequence[str]]) -> None:
        self._parents = parents
        self._left = {task: len(children) for task, children in _children(parents).items()}
        self._columns: dict[str, int] = {}
        self._lanes: list[bool] = []
        self.width = 0

    def line_of(self, task: str) -> str | None:
        """Return the line before the task's bullet, None if one of its parents has not been drawn."""
        needed = list(dict.fromkeys(parent for parent in self._parents[task] if parent in self._parents))
        if any(parent not in self._columns for parent in needed):
            return None
        by_column = {self._columns[parent]: parent for parent in needed}
        column = self._free_column(max(by_column, default=-1) + 1)
        line = "".join(self._cells(by_column, column))
        for lane, parent in by_column.items():
            self._left[parent] -= 1
            self._lanes[lane] = self._left[parent] > 0
        self._columns[task] = column
        self._lanes[column] = self._left[task] > 0
        self.width = max(self.width, column + 1)
        return line

    def _free_column(self, start: int) -> int:
        last_taken = max((number for number, lane in enumerate(self._lanes) if lane), default=-1)
        column = max(start, last_taken + 1)
        self._lanes.extend([False] * (column + 1 - len(self._lanes)))
        return column

    def _cells(self, by_column: Mapping[int, str], column: int) -> Iterator[str]:
        first = min(by_column, default=column)
        for number in range(column):
            if number in by_column:
                goes_on = self._left[by_column[number]] > 1
                corner = ("├" if goes_on else "╰") if number == first else ("┼" if goes_on else "┴")
                yield f"{corner}─"
            elif number < first:
                yield "│ " if self._lanes[number] else "  "
            else:
                yield "│─" if self._lanes[number] else "──"


def _children(parents: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {task: [] for task in parents}
    for task, needed in parents.items():
        for parent in dict.fromkeys(needed):
            if parent in children:
                children[parent].append(task)
    return children
