"""Draws the states of runs and task runs into their page, from the tables that the server works by.

    python docs/life_cycle.py

A test fails where the page and the tables differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from gofer.core.run import RunState, TaskState
from gofer.core.step import CancelRequested, DeadlinePassed, InternalFault, TaskCancelRequested, TaskDeadlinePassed
from gofer.core.transitions import RUN_TRANSITIONS, TASK_TRANSITIONS, Cause, ParentsEnded, TasksEnded

PAGE: Final = Path(__file__).parent / "pages" / "concepts" / "run-life-cycle.md"
BEGIN: Final = "<!-- {name}: written by docs/life_cycle.py, from the server's own tables -->"
END: Final = "<!-- end of {name} -->"

State = TypeVar("State", bound=StrEnum)
Table: TypeAlias = Mapping[State, Mapping[type[Cause], tuple[State, ...]]]
Place: TypeAlias = tuple[float, float]  # columns from the left, rows from the top

TASK_PLACES: Final[Mapping[TaskState, Place]] = {
    TaskState.PENDING: (1.5, 0),
    TaskState.SKIPPED: (0, 0),
    TaskState.STARTING: (1.5, 1),
    TaskState.RUNNING: (2.7, 1.6),
    TaskState.STOPPING: (1.5, 3.4),
    TaskState.SUCCEEDED: (3.9, 0.7),
    TaskState.CANCELLED: (0, 3.4),
    TaskState.FAILED: (3.9, 3.4),
}
RUN_PLACES: Final[Mapping[RunState, Place]] = {
    RunState.PENDING: (0, 0.6),
    RunState.RUNNING: (1.4, 0.6),
    RunState.SUCCEEDED: (2.9, 0),
    RunState.CANCELLED: (0, 2),
    RunState.FAILED: (2.9, 2),
}
LABELS_AT: Final[Mapping[tuple[StrEnum, StrEnum], float]] = {
    (TaskState.PENDING, TaskState.STARTING): 0.6,
    (TaskState.STARTING, TaskState.FAILED): 0.75,
    (TaskState.RUNNING, TaskState.FAILED): 0.25,
    (TaskState.STARTING, TaskState.STOPPING): 0.35,
    (TaskState.RUNNING, TaskState.STOPPING): 0.7,
    (TaskState.STOPPING, TaskState.SUCCEEDED): 0.12,
    (RunState.PENDING, RunState.FAILED): 0.65,
}
"""Where on an arrow its words stand, from 0 to 1, where the middle is taken."""

STOPS: Final = frozenset({TaskCancelRequested, CancelRequested, DeadlinePassed, InternalFault})
A_STOP: Final = STOPS | {TaskDeadlinePassed}

_COLUMN, _ROW, _WIDTH, _HEIGHT, _MARGIN = 170, 100, 108, 32, 8

# Words stand on their arrow: a rim in the colour of the page keeps them readable.
_HALO: Final = "paint-order: stroke; stroke: var(--md-default-bg-color, white); stroke-width: 5px"


def parts() -> Mapping[str, str]:
    """Give the generated parts of the page by their names."""
    return {
        "run diagram": drawn(RUN_TRANSITIONS, RUN_PLACES, title="States of a run"),
        "task run diagram": drawn(TASK_TRANSITIONS, TASK_PLACES, title="States of a task run"),
        "run table": tabled(RUN_TRANSITIONS),
        "task run table": tabled(TASK_TRANSITIONS),
    }


def written(page: str) -> str:
    """Give the page with all generated parts as they should be. Raises `ValueError` where one has no place in it."""
    for name, text in parts().items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            message = f"{PAGE} has no place for the {name}: put the lines {begin!r} and {end!r} into it"
            raise ValueError(message)
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def tabled(table: Table[State]) -> str:
    """Write a table of states and what each cause makes of them; what has ended has one row for all."""
    rows = ["| state | what happens | becomes |", "|---|---|---|"]
    ended = [state for state in table if _has_ended(table, state)]
    for state, row in table.items():
        moves: dict[tuple[State, ...], list[str]] = {}
        for cause, ends in row.items():
            moves.setdefault(ends, []).append(_named(cause))
        if state not in ended:
            rows += (
                f"| {state} | {', '.join(causes)} | {' or '.join(ends) if ends != (state,) else f'stays {state}'} |"
                for ends, causes in moves.items()
            )
    return "\n".join([*rows, f"| {', '.join(ended)} | anything | stays as it is |"])


def drawn(table: Table[State], places: Mapping[State, Place], *, title: str) -> str:
    """Draw the states at their places and an arrow for each way from one to another."""
    width = max(x for x, _ in places.values()) * _COLUMN + _WIDTH + 2 * _MARGIN
    height = max(y for _, y in places.values()) * _ROW + _HEIGHT + 2 * _MARGIN
    style = f'style="max-width: {width:g}px; width: 100%" font-family="inherit" fill="currentColor"'
    tip = f"tip-{title.replace(' ', '-').lower()}"
    shape = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"'
    lines = [
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" xmlns="http://www.w3.org/2000/svg" {style}>',
        f"<title>{escape(title)}</title>",
        f'<defs><marker id="{tip}" {shape}><path d="M0,0.5 L8,4 L0,7.5 z"/></marker></defs>',
    ]
    for (state, to), causes in _arrows(table).items():
        lines += _arrow(places[state], places[to], causes, at=LABELS_AT.get((state, to), 0.5), tip=tip)
    for state, place in places.items():
        lines += _box(state, place, ends=_has_ended(table, state))
    return "\n".join([*lines, "</svg>"])


def _has_ended(table: Table[State], state: State) -> bool:
    return all(ends == (state,) for ends in table[state].values())


def _named(cause: type[Cause]) -> str:
    if issubclass(cause, ParentsEnded):
        return "*its parents have ended*"
    return "*all of its task runs have ended*" if issubclass(cause, TasksEnded) else f"`{cause.__name__}`"


def _label(cause: type[Cause]) -> str:
    if issubclass(cause, ParentsEnded):
        return "parents ended"
    return "all tasks ended" if issubclass(cause, TasksEnded) else cause.__name__


def _arrows(table: Table[State]) -> Mapping[tuple[State, State], tuple[str, ...]]:
    found: dict[tuple[State, State], list[type[Cause]]] = {}
    for state, row in table.items():
        for cause, ends in row.items():
            for to in ends:
                if to is not state:
                    found.setdefault((state, to), []).append(cause)
    return {ways: _labels(causes) for ways, causes in found.items()}


def _labels(causes: Iterable[type[Cause]]) -> tuple[str, ...]:
    given = list(causes)
    stops = ["a stop"] if set(given) >= STOPS else []
    return (*stops, *(_label(cause) for cause in given if not stops or cause not in A_STOP))


def _centre(place: Place) -> tuple[float, float]:
    return place[0] * _COLUMN + _WIDTH / 2 + _MARGIN, place[1] * _ROW + _HEIGHT / 2 + _MARGIN


def _arrow(start: Place, end: Place, labels: Sequence[str], *, at: float, tip: str) -> list[str]:
    (x1, y1), (x2, y2) = _centre(start), _centre(end)
    dx, dy = x2 - x1, y2 - y1
    # The part of the line that one of the boxes hides, measured from its centre.
    hidden = min(_WIDTH / 2 / abs(dx) if dx else 1, _HEIGHT / 2 / abs(dy) if dy else 1)
    x1, y1, x2, y2 = x1 + dx * hidden, y1 + dy * hidden, x2 - dx * hidden, y2 - dy * hidden
    ends = f'x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"'
    lines = [f'<line {ends} stroke="currentColor" stroke-width="1.2" opacity="0.7" marker-end="url(#{tip})"/>']
    x, y = x1 + (x2 - x1) * at, y1 + (y2 - y1) * at - (len(labels) - 1) * 6 + 4
    lines += (
        f'<text x="{x:.0f}" y="{y + 12 * number:.0f}" font-size="10" text-anchor="middle" style="{_HALO}">'
        f"{escape(label)}</text>"
        for number, label in enumerate(labels)
    )
    return lines


def _box(state: StrEnum, place: Place, *, ends: bool) -> list[str]:
    x, y = _centre(place)
    frame = f'x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" height="{_HEIGHT}"'
    rim = 'rx="16" stroke-width="2.5"' if ends else 'rx="4" stroke-width="1.2"'
    return [
        f'<rect {frame} {rim} fill="none" stroke="currentColor"/>',
        f'<text x="{x:.0f}" y="{y + 4:.0f}" font-size="12" text-anchor="middle">{escape(state)}</text>',
    ]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    print(f"wrote {PAGE}")
