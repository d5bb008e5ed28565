"""Errors, exit statuses, states and reasons."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final

import typer

from docs.generators.markdown import code, join, sentences, table
from gofer.api.convert.runs import RUN_REASONS, RUN_STATES
from gofer.api.convert.task_runs import TASK_RUN_REASONS, split_state
from gofer.api.status import STATUS
from gofer.cli.aio import ExitStatus, errors_told
from gofer.cli.context import CliContext
from gofer.config.client_flags import ClientFlags
from gofer.core.errors import ErrorCode
from gofer.core.run import ReasonCode, RunState, TaskState
from gofer_sdk.errors import KIND_BY_STATUS, CallFailed

_EXITS: Final[Mapping[ExitStatus, str]] = {
    ExitStatus.DONE: "done",
    ExitStatus.FAILED: "failed; also `run start --wait` or `--follow` of a run that was not successful",
    ExitStatus.USAGE: "the command was written wrongly, or the settings can't be read",
    ExitStatus.NOT_FOUND: "something that was named does not exist",
    ExitStatus.FORBIDDEN: "no permission",
    ExitStatus.UNREACHABLE: "the server can't be reached, or did not answer in time",
    ExitStatus.CHANGES: "`up --plan` found that something would change",
}
_INTERRUPTED: Final = ("130", "interrupted, by Ctrl-C for example")

_ADVICE: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.INVALID_INPUT: "mend the request as the message says; sent again unchanged it fails again",
    ErrorCode.NOT_FOUND: "look for the name in a list, and at the namespace that you asked in",
    ErrorCode.ALREADY_EXISTS: "take another name, or the thing that is there; some calls have a `force`",
    ErrorCode.FAILED_PRECONDITION: "bring the thing into the state that the message asks for, then call again",
    ErrorCode.LIMIT_REACHED: "send less, delete what isn't needed, or have the setting raised that the message names",
    ErrorCode.UNAUTHENTICATED: "give a token that is enabled and not expired; `gofer context` tells which is used",
    ErrorCode.PERMISSION_DENIED: "take a token for the namespace, or a management token",
    ErrorCode.NOT_IMPLEMENTED: "compare the versions of server and client: `gofer service info`",
    ErrorCode.UNAVAILABLE: "call again a little later; `gofer doctor` looks for what is wrong",
    ErrorCode.INTERNAL: "report it, with what the server's log has under the id",
}

_RUN_STATES: Final[Mapping[RunState, str]] = {
    RunState.PENDING: "stored; waits for its turn",
    RunState.RUNNING: "under way",
    RunState.SUCCEEDED: "no task failed and none was cancelled",
    RunState.FAILED: "a task failed",
    RunState.CANCELLED: "it was cancelled, or a task of it was, and none failed",
}
_TASK_STATES: Final[Mapping[TaskState, str]] = {
    TaskState.PENDING: "waits for the tasks that it depends on; `PROCESSING` once they have ended",
    TaskState.STARTING: "its container is being made and started",
    TaskState.RUNNING: "its container runs",
    TaskState.STOPPING: "its container has been asked to end",
    TaskState.SUCCEEDED: "its exit code was 0",
    TaskState.FAILED: "its exit code was another, or it could not be started, or it took too long",
    TaskState.CANCELLED: "it was stopped, or its run was before it began",
    TaskState.SKIPPED: "a task that it depends on did not end as it asks for",
}


def errors() -> str:
    """Return the table of errors."""
    return join(table(("error", "gRPC status", "in Python", "exit status", "means", "what to do"), _errors()))


def exit_statuses() -> str:
    """Return the table of exit statuses, which several pages show."""
    rows = [(str(status.value), _EXITS[status]) for status in ExitStatus]
    return join(table(("exit status", "means"), [*rows, _INTERRUPTED]))


def run_states() -> str:
    """Return the table of the states of runs."""
    return join(table(("state", "on the wire", "means"), [_run_state(state) for state in RunState]))


def task_run_states() -> str:
    """Return the table of the states of task runs."""
    return join(table(("state (`substate`)", "on the wire", "means"), [_task_state(state) for state in TaskState]))


def reasons() -> str:
    """Return the table of the reasons why something ended as it did."""
    return join(table(("code", "means", "of a run", "of a task run"), _reasons()))


def _errors() -> Iterator[tuple[str, str, str, str, str, str]]:
    for error in ErrorCode:
        status = STATUS[error]
        kind = KIND_BY_STATUS[status]
        yield (
            code(error.value),
            code(status.name),
            code(kind.__name__),
            str(exit_status_of(kind)),
            sentences(inspect.getdoc(kind) or ""),
            _ADVICE[error],
        )


def exit_status_of(kind: type[CallFailed]) -> int:
    """Return how a command ends that meets such an error."""
    try:
        with errors_told(CliContext(flags=ClientFlags(format="silent"), environment={})):
            raise kind("")
    except typer.Exit as end:
        return end.exit_code


def _run_state(state: RunState) -> tuple[str, str, str]:
    wire, status = RUN_STATES[state]
    return code(state.value), _pair(str(wire.name), str(status.name)), _RUN_STATES[state]


def _task_state(state: TaskState) -> tuple[str, str, str]:
    pairs = (split_state(state, waiting=waiting) for waiting in (True, False))
    told = dict.fromkeys(_pair(str(wire.name), str(status.name)) for wire, status in pairs)
    return code(state.value), " or ".join(told), _TASK_STATES[state]


def _pair(state: str, status: str) -> str:
    return f"{code(state)}, {code(status)}" if state == "COMPLETE" else code(state)


def _reasons() -> Iterator[tuple[str, str, str, str]]:
    # What each code means stands behind it in the source.
    meanings = dict(re.findall(r'^\s+\w+ = "(\w+)"(?:  # (.+))?$', inspect.getsource(ReasonCode), re.MULTILINE))
    for reason in ReasonCode:
        run, task_run = RUN_REASONS[reason], TASK_RUN_REASONS[reason]
        yield code(reason.value), meanings[reason.value], code(str(run.name)), code(str(task_run.name))
