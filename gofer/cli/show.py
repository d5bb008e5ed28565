"""Runs and graphs as people read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gofer.cli.graph import draw, ordered
from gofer.cli.output import Output
from gofer.cli.states import cell_of, exit_code_of, look_of, state_of_run, state_of_task_run
from gofer.cli.tables import Cell, Style
from gofer.cli.words import moment, span

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

_COLUMN_SHARE = 6
"""A graph may take so many columns as a sixth of the line's characters."""
_MAX_COLUMNS = 20


def show_run(output: Output, run: "proto.Run", task_runs: "Sequence[proto.TaskRun]") -> None:
    """Print a run with the graph of its task runs."""
    now = output.now()
    rows: list[tuple[str, Cell | str]] = [
        ("Run", str(run.id)),
        ("Pipeline", f"{run.pipeline}, version {run.version}"),
        ("State", cell_of(state_of_run(run))),
    ]
    if run.status_reason and run.status_reason.description:
        rows.append(("Reason", run.status_reason.description))
    rows.append(("Started", f"{moment(run.started, now=now, detail=output.detail)} by {_initiator(run)}"))
    rows.append(("Duration", span(run.started, run.ended, now=now)))
    if run.timeout:
        rows.append(("Timeout", run.timeout))
    if run.variables:
        rows.append(("Variables", ", ".join(sorted(f"{variable.key}={variable.value}" for variable in run.variables))))
    if run.store_objects_expired:
        rows.append(("Objects", "expired: the run is too old to have its own still"))
    output.fields(rows)
    if task_runs:
        output.line()
        show_task_runs(output, task_runs, now=now)


def show_task_runs(output: Output, task_runs: "Sequence[proto.TaskRun]", *, now: datetime) -> None:
    """Print task runs as a table, with the graph of their tasks drawn before them where it fits."""
    # By their ids, so that a run looks the same each time while it goes on.
    found = {task_run.id: task_run for task_run in sorted(task_runs, key=lambda task_run: task_run.id)}
    needs = {name: needs_of(task_run.task) for name, task_run in found.items()}
    lines, is_drawn = lines_of(output, {name: tuple(needed) for name, needed in needs.items()})
    rows: list[list[Cell | str]] = []
    reasons: dict[str, str] = {}
    for name, line in lines.items():
        task_run = found[name]
        state = state_of_task_run(task_run)
        if task_run.status_reason and task_run.status_reason.description:
            reasons[name] = task_run.status_reason.description
        rows.append(
            [
                Cell(f"{line}{_sign(output, state)} {name}", look_of(state).style),
                cell_of(state),
                moment(task_run.started, now=now, detail=output.detail),
                span(task_run.started, task_run.ended, now=now),
                exit_code_of(task_run),
                words_of_needs(needs[name], all_of_them=not is_drawn),
            ]
        )
    _print(output, ("Task", "State", "Started", "Duration", "Exit", "Needs"), rows)
    if reasons:
        # Below, where a line has room for them.
        output.line()
        output.fields(list(reasons.items()))


def damage_fields(damage: str) -> list[tuple[str, Cell | str]]:
    """Give the field that says what of a thing the server can't read; none where it can read all."""
    return [("Unreadable", Cell(damage, Style.WARN))] if damage else []


def show_tasks(output: Output, tasks: "Mapping[str, proto.Task]") -> None:
    """Print the tasks of a version as a table, with their graph drawn before them where it fits."""
    needs = {name: needs_of(tasks[name]) for name in sorted(tasks)}
    lines, is_drawn = lines_of(output, {name: tuple(needed) for name, needed in needs.items()})
    bullet = "*" if output.is_ascii else "●"
    rows: list[list[Cell | str]] = [
        [
            f"{line}{bullet} {name}",
            tasks[name].image,
            words_of_needs(needs[name], all_of_them=not is_drawn),
            tasks[name].timeout,
            tasks[name].description,
        ]
        for name, line in lines.items()
    ]
    _print(output, ("Task", "Image", "Needs", "Timeout", "Description"), rows)


def needs_of(task: "proto.Task | None") -> dict[str, str]:
    """Return the parents of a task, and how each must have ended."""
    return {parent: (status.name or "").lower() for parent, status in task.depends_on.items()} if task else {}


def words_of_needs(needs: Mapping[str, str], *, all_of_them: bool = True) -> str:
    """Say what a task waits for; success goes without saying, and beside a drawing so does its parent."""
    return ", ".join(
        parent if status == "success" else f"{parent} ({status})"
        for parent, status in sorted(needs.items())
        if all_of_them or status != "success"
    )


def lines_of(output: Output, parents: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], bool]:
    """Return what stands before each task, in the order to list them, and whether that is a drawing and not nothing."""
    columns = min(output.width // _COLUMN_SHARE, _MAX_COLUMNS)
    lines = draw(parents, max_columns=columns, ascii_only=output.is_ascii)
    return (lines, True) if lines is not None else (dict.fromkeys(ordered(parents), ""), False)


def _print(output: Output, headers: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> None:
    """Print a table without the columns that say nothing in any row."""
    kept = [
        column
        for column in range(len(headers))
        if column == 0
        or any((cell.text if isinstance(cell, Cell) else cell).strip() for cell in (row[column] for row in rows))
    ]
    output.table([headers[column] for column in kept], [[row[column] for column in kept] for row in rows])


def _sign(output: Output, state: str) -> str:
    look = look_of(state)
    return look.ascii_sign if output.is_ascii else look.sign


def _initiator(run: "proto.Run") -> str:
    return run.initiator.name if run.initiator else "?"
