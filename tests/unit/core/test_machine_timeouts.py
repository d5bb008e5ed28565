"""Timeouts of tasks, and what had ended before one of them passed."""

from datetime import timedelta

import pytest

from gofer.core.pipeline import Requirement
from gofer.core.run import Reason, ReasonCode, Run, RunState, TaskRun, TaskState
from gofer.core.step import ArmTaskDeadline, DeadlinePassed, Signal
from tests.factories import NOW
from tests.unit.core.driver import (
    ADMITTED,
    Driver,
    Graph,
    cancel,
    cancel_task,
    exited,
    lost,
    overdue,
    started,
    stop,
)


def code(subject: Run | TaskRun) -> str:
    return subject.reason.code.value if subject.reason else ""


def timed(graph: Graph | None = None) -> Driver:
    return Driver(graph or {"runs": []}, timeout=timedelta(hours=1))


@pytest.mark.parametrize("end", [exited("runs"), exited("runs", 143), lost("runs")])
def test_a_task_that_runs_longer_than_its_timeout_is_stopped_and_has_failed(end: Signal) -> None:
    run = timed()
    run(ADMITTED, started("runs"))

    step = run(overdue("runs"))
    run(end)

    assert (stop("runs"),) == step.effects
    assert (TaskState.FAILED, "timed_out") == (run.task("runs").state, code(run.task("runs")))
    assert run.task("runs").reason == Reason(
        code=ReasonCode.TIMED_OUT, description="the task ran longer than its timeout of 1h0m0s"
    )


def test_what_waits_for_a_failure_runs_when_a_task_has_timed_out() -> None:
    run = timed({"runs": [], "mends": {"runs": Requirement.FAILURE}, "goes_on": ["runs"]})
    run(ADMITTED, started("runs"))

    run(overdue("runs"), exited("runs", 143), exited("mends"))

    assert {"runs": "FAILED", "mends": "SUCCEEDED", "goes_on": "SKIPPED"} == run.states
    assert (RunState.FAILED, "abnormal_exit") == (run.run.state, code(run.run))


def test_the_timeout_of_a_task_counts_from_its_start_and_is_armed_once() -> None:
    run = timed()

    before = run(ADMITTED).effects
    first, second = run(started("runs")), run(started("runs"))

    assert not [effect for effect in before if isinstance(effect, ArmTaskDeadline)]
    assert (ArmTaskDeadline(task=run.task("runs").id, at=NOW + timedelta(seconds=2, hours=1)),) == first.effects
    assert () == second.effects


def test_a_timeout_is_not_armed_for_what_is_being_stopped_when_it_starts() -> None:
    run = timed()
    run(ADMITTED, cancel())

    run(started("runs"))

    assert {"runs": "STOPPING"} == run.states
    assert not [effect for effect in run.effects if isinstance(effect, ArmTaskDeadline)]


@pytest.mark.parametrize("signal", [cancel(), cancel_task("runs")])
def test_a_cancel_that_was_committed_before_the_timeout_of_a_task_decides(signal: Signal) -> None:
    run = timed()
    run(ADMITTED, started("runs"))

    run(signal, overdue("runs"), exited("runs", 143))

    assert (TaskState.CANCELLED, RunState.CANCELLED) == (run.task("runs").state, run.run.state)


def test_a_stored_cancel_of_a_task_comes_before_its_timeout() -> None:
    run = timed()
    run(ADMITTED, started("runs"))
    run.ask(task="runs")

    run(overdue("runs"), exited("runs", 143))

    assert TaskState.CANCELLED is run.task("runs").state


def test_a_cancel_after_the_timeout_of_a_task_can_only_hurry_it() -> None:
    run = timed()
    run(ADMITTED, started("runs"), overdue("runs"))

    forced = run(cancel_task("runs", force=True))
    run(exited("runs", 137))

    assert (stop("runs", force=True),) == forced.effects
    assert (TaskState.FAILED, RunState.FAILED) == (run.task("runs").state, run.run.state)


@pytest.mark.parametrize(("minutes", "state"), [(59, TaskState.SUCCEEDED), (60, TaskState.FAILED)])
def test_what_had_ended_before_its_timeout_ends_as_it_did_whenever_that_is_heard(
    minutes: int, state: TaskState
) -> None:
    """The engine's clock may differ from ours: only how long it says that the task ran is taken from it."""
    run = timed()
    elsewhere = NOW - timedelta(days=1)
    run(ADMITTED, started("runs"), overdue("runs"))

    run(exited("runs", started_at=elsewhere, ended_at=elsewhere + timedelta(minutes=minutes)))

    assert state is run.task("runs").state
    assert ("timed_out" if state is TaskState.FAILED else "") == code(run.task("runs"))


@pytest.mark.parametrize(
    ("minutes", "states", "outcome"),
    [
        (1, ("SUCCEEDED", "CANCELLED"), ("FAILED", "timed_out")),
        (61, ("FAILED", "CANCELLED"), ("FAILED", "timed_out")),
    ],
)
def test_the_timeout_of_a_run_holds_where_something_was_left(
    minutes: int, states: tuple[str, str], outcome: tuple[str, str]
) -> None:
    run = Driver({"runs": [], "waits": ["runs"]}, deadline=timedelta(hours=1))
    run(ADMITTED, started("runs"), DeadlinePassed())

    run(exited("runs", started_at=NOW, ended_at=NOW + timedelta(minutes=minutes)))

    assert states == tuple(run.states.values())
    assert outcome == (run.run.state, code(run.run))


@pytest.mark.parametrize(
    ("began", "state"),
    [(1, "SUCCEEDED"), (59, "FAILED"), (-1, "FAILED")],
    ids=["in time", "ends too late", "by a clock that is wrong"],
)
def test_the_engine_tells_when_a_task_began_whose_end_is_the_first_that_is_heard_of_it(began: int, state: str) -> None:
    run = Driver({"runs": []}, deadline=timedelta(hours=1))
    run(ADMITTED, DeadlinePassed())
    assert run.run.admitted_at is not None
    began_at = run.run.admitted_at + timedelta(minutes=began)

    run(exited("runs", started_at=began_at, ended_at=began_at + timedelta(minutes=1)))

    assert {"runs": state} == run.states
    assert ("timed_out" if state == "FAILED" else "") == code(run.run) == code(run.task("runs"))


@pytest.mark.parametrize("heard_after_the_timeout", [False, True])
@pytest.mark.parametrize(("ended", "state"), [(59, "SUCCEEDED"), (61, "FAILED")], ids=["in time", "too late"])
def test_the_engine_tells_when_a_task_began_of_which_the_server_heard_late(
    ended: int, state: str, *, heard_after_the_timeout: bool
) -> None:
    run = Driver({"runs": []}, deadline=timedelta(hours=1))
    run(ADMITTED)
    admitted_at = run.now
    run.now += timedelta(minutes=59, seconds=57)

    run(*(DeadlinePassed(), started("runs"))[:: 1 if heard_after_the_timeout else -1])
    run(exited("runs", started_at=admitted_at, ended_at=admitted_at + timedelta(minutes=ended)))

    assert {"runs": state} == run.states
    assert ("timed_out" if state == "FAILED" else "") == code(run.run) == code(run.task("runs"))


def test_a_start_that_the_engine_tells_to_be_later_than_it_was_heard_of_is_not_believed() -> None:
    run = Driver({"runs": []}, deadline=timedelta(hours=1))
    run(ADMITTED, started("runs"), DeadlinePassed())
    ahead = run.now + timedelta(hours=2)

    run(exited("runs", started_at=ahead, ended_at=ahead + timedelta(minutes=1)))

    assert {"runs": "SUCCEEDED"} == run.states


@pytest.mark.parametrize(("exit_code", "outcome"), [(0, ("SUCCEEDED", "")), (3, ("FAILED", "abnormal_exit"))])
def test_a_run_whose_tasks_had_all_ended_before_its_timeout_ends_as_they_did(
    exit_code: int, outcome: tuple[str, str]
) -> None:
    run = Driver({"runs": []}, deadline=timedelta(hours=1))
    run(ADMITTED, started("runs"), DeadlinePassed())

    run(exited("runs", exit_code, started_at=NOW, ended_at=NOW + timedelta(minutes=1)))

    assert outcome == (run.run.state, code(run.run))
