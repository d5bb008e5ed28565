"""How runs and task runs stand, in a word, a colour and a sign."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gofer.cli.tables import Cell, Style
from gofer.cli.words import NOTHING, title

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

NO_EXIT_CODE: Final = 999
"""What the wire says where there is no exit code."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: its sign, the sign where only ASCII can be, its colour."""

    sign: str
    ascii_sign: str
    style: Style | None


_WAITING: Final = Look("○", "o", Style.DIM)
_BUSY: Final = Look("●", "*", Style.BUSY)
_LOOKS: Final = {
    "Successful": Look("✓", "+", Style.GOOD),
    "Failed": Look("✗", "x", Style.BAD),
    "Cancelled": Look("■", "#", Style.WARN),
    "Skipped": Look("⊘", "-", Style.DIM),
    "Pending": _WAITING,
    "Waiting": _WAITING,
    "Starting": _BUSY,
    "Running": _BUSY,
    "Stopping": _BUSY,
    "Cancelling": _BUSY,
}
_SUBSTATES: Final = {"PENDING": "Waiting", "SUCCEEDED": "Successful"}


def look_of(state: str) -> Look:
    """Return how a state is shown."""
    return _LOOKS.get(state, Look("?", "?", None))


def cell_of(state: str) -> Cell:
    """Return a state for a table."""
    return Cell(state, look_of(state).style)


def state_of_run(run: "proto.Run") -> str:
    """Say how a run stands: Pending, Running, Cancelling, Successful, Failed or Cancelled."""
    if run.state.name == "COMPLETE":
        return title(run.status.name or "")
    return "Cancelling" if run.cancel_requested else title(run.state.name or "")


def state_of_task_run(task_run: "proto.TaskRun") -> str:
    """Say how a task run stands: Waiting, Starting, Running, Stopping, Successful, Failed, Cancelled or Skipped."""
    if task_run.substate:
        return _SUBSTATES.get(task_run.substate, title(task_run.substate))
    # A 0.6 server says less.
    return title((task_run.status if task_run.state.name == "COMPLETE" else task_run.state).name or "")


def exit_code_of(task_run: "proto.TaskRun") -> str:
    """Write the exit code, `-` where there is none."""
    if task_run.exit_code_known is not None:
        return str(task_run.exit_code_known)
    if task_run.state.name != "COMPLETE" or task_run.exit_code == NO_EXIT_CODE or task_run.substate:
        return NOTHING
    return str(task_run.exit_code)


def is_over(run: "proto.Run | proto.TaskRun") -> bool:
    """Say whether a run or task run has ended."""
    return run.state.name == "COMPLETE"


def has_succeeded(run: "proto.Run") -> bool:
    """Say whether a run has ended well."""
    return is_over(run) and run.status.name == "SUCCESSFUL"
