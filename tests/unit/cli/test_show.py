"""Runs and task runs as people see them."""

import io

import pytest

from gofer.cli.output import Output
from gofer.cli.show import show_run, show_tasks
from gofer.cli.states import exit_code_of, state_of_run, state_of_task_run
from gofer_sdk._proto import proto

Needs = proto.TaskRequiredParentStatus
State = proto.TaskRunTaskRunState
Status = proto.TaskRunTaskRunStatus
START = 1_700_000_000_000


def task_run(name: str, *, substate: str, code: int | None = None, reason: str = "", **needs: Needs) -> proto.TaskRun:
    """Make a task run that has ended, or waits."""
    waits = substate in {"PENDING", "SKIPPED"}
    return proto.TaskRun(
        id=name,
        substate=substate,
        exit_code=999 if code is None else code,
        exit_code_known=code,
        started=0 if waits else START,
        ended=0 if waits else START + 1500,
        status_reason=proto.TaskRunStatusReason(description=reason),
        task=proto.Task(id=name, depends_on=needs),
    )


TASK_RUNS = [
    task_run("publish", substate="SKIPPED", reason="requires success", check=Needs.SUCCESS),
    task_run("check", substate="FAILED", code=3, reason="the container exited with 3", build=Needs.SUCCESS),
    task_run("build", substate="SUCCEEDED", code=0),
    task_run("clean_up", substate="SUCCEEDED", code=0, check=Needs.FAILURE),
]
RUN = proto.Run(
    id=7,
    pipeline="dag",
    version=2,
    started=START,
    ended=START + 65_000,
    state=proto.RunRunState.COMPLETE,
    status=proto.RunRunStatus.FAILED,
    status_reason=proto.RunStatusReason(description="1 of 4 tasks failed"),
    initiator=proto.Initiator(name="cli"),
    variables=[proto.Variable(key="A", value="1")],
)


def shown(*, encoding: str = "utf-8", run: proto.Run = RUN) -> str:
    """Return a run as it is printed, the years since left out."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    show_run(Output(stdout=stdout), run, TASK_RUNS)
    assert isinstance(stdout.buffer, io.BytesIO)
    return stdout.buffer.getvalue().decode()


def test_a_run_is_shown_with_its_graph_and_its_reasons() -> None:
    lines = shown().splitlines()

    assert lines[0:4] == [
        "Run        7",
        "Pipeline   dag, version 2",
        "State      Failed",
        "Reason     1 of 4 tasks failed",
    ]
    assert lines[4].startswith("Started    ")
    assert lines[4].endswith(" ago by cli")
    assert lines[5:8] == ["Duration   1m 5s", "Variables  A=1", ""]
    table = [[part.strip() for part in line.split("  ") if part.strip()] for line in lines[8:13]]
    assert table[0] == ["Task", "State", "Started", "Duration", "Exit", "Needs"]
    assert [row[0] for row in table[1:]] == ["✓ build", "╰─✗ check", "├─✓ clean_up", "╰─⊘ publish"]
    assert table[2][1::2] == ["Failed", "1.50s"]
    assert table[2][4] == "3"
    assert table[3][-1] == "check (failure)"
    assert table[4][1:] == ["Skipped", "-", "-", "-"]
    assert lines[13:] == ["", "check    the container exited with 3", "publish  requires success"]


def test_a_run_is_shown_in_ascii_where_nothing_else_goes() -> None:
    text = shown(encoding="ascii")

    assert "`-x check" in text
    assert "+-+ clean_up" in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (proto.Run(state=proto.RunRunState.PENDING), "Pending"),
        (proto.Run(state=proto.RunRunState.RUNNING), "Running"),
        (proto.Run(state=proto.RunRunState.RUNNING, cancel_requested=5), "Cancelling"),
        (proto.Run(state=proto.RunRunState.COMPLETE, status=proto.RunRunStatus.SUCCESSFUL), "Successful"),
        (
            proto.Run(state=proto.RunRunState.COMPLETE, status=proto.RunRunStatus.CANCELLED, cancel_requested=5),
            "Cancelled",
        ),
        (proto.Run(), "Unknown"),
        (proto.Run(state=proto.RunRunState(77)), ""),
    ],
)
def test_how_a_run_stands(run: proto.Run, expected: str) -> None:
    assert state_of_run(run) == expected


@pytest.mark.parametrize(
    ("found", "state", "code"),
    [
        (proto.TaskRun(substate="PENDING", exit_code=999), "Waiting", "-"),
        (proto.TaskRun(substate="STARTING", exit_code=999), "Starting", "-"),
        (proto.TaskRun(substate="STOPPING", exit_code=999), "Stopping", "-"),
        (proto.TaskRun(substate="SUCCEEDED", exit_code=0, exit_code_known=0), "Successful", "0"),
        (proto.TaskRun(substate="CANCELLED", exit_code=999, exit_code_known=143), "Cancelled", "143"),
        (proto.TaskRun(substate="FAILED", state=State.COMPLETE, exit_code=999), "Failed", "-"),
        (proto.TaskRun(state=State.WAITING), "Waiting", "-"),
        (proto.TaskRun(state=State.COMPLETE, status=Status.FAILED, exit_code=3), "Failed", "3"),
        (proto.TaskRun(state=State.COMPLETE, status=Status.SUCCESSFUL), "Successful", "0"),
        (proto.TaskRun(state=State.COMPLETE, status=Status.SKIPPED, exit_code=999), "Skipped", "-"),
    ],
)
def test_how_a_task_run_stands_on_our_server_and_on_an_older_one(found: proto.TaskRun, state: str, code: str) -> None:
    assert (state_of_task_run(found), exit_code_of(found)) == (state, code)


def test_a_graph_that_is_too_wide_to_be_drawn_is_told_in_words() -> None:
    stdout = io.StringIO()
    tasks = {
        f"t{number:02}": proto.Task(image="i", depends_on={f"t{number - 1:02}": Needs.SUCCESS} if number else {})
        for number in range(40)
    }

    show_tasks(Output(stdout=stdout), tasks)

    lines = stdout.getvalue().splitlines()
    assert lines[1].split() == ["*", "t00", "i"]
    assert lines[40].split() == ["*", "t39", "i", "t38"]
