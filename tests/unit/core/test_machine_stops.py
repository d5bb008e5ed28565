"""Cancels, deadlines and faults: what stops a run or one of its tasks."""

from datetime import timedelta

import pytest

from gofer.core.pipeline import Requirement
from gofer.core.run import ReasonCode, Run, RunState, StopRequest, TaskRun, TaskState, stronger
from gofer.core.step import DeadlinePassed, InternalFault, LaunchTask, Signal, Step
from tests.factories import NOW
from tests.unit.core.driver import (
    ADMITTED,
    Driver,
    cancel,
    cancel_task,
    exited,
    lost,
    refused,
    started,
    stop,
)

FAULT = InternalFault(description="a fault of ours")
GRAPH = {"done": [], "runs": [], "starts": [], "waits": ["runs"], "later": ["waits"]}
ENDS = [exited("runs", 0), exited("runs", 143), refused("runs"), lost("runs")]


def code(subject: Run | TaskRun) -> str:
    return subject.reason.code.value if subject.reason else ""


def under_way() -> Driver:
    run = Driver(GRAPH, deadline=timedelta(hours=1))
    run(ADMITTED, exited("done"), started("runs"))
    run.events.clear()
    run.effects.clear()
    return run


def one_task(*signals: Signal) -> Driver:
    run = Driver({"runs": []})
    run(ADMITTED, *signals)
    return run


def test_a_cancel_ends_what_waits_at_once_and_stops_what_lives() -> None:
    run = under_way()

    run(cancel())

    assert {
        "done": "SUCCEEDED",
        "runs": "STOPPING",
        "starts": "STOPPING",
        "waits": "CANCELLED",
        "later": "CANCELLED",
    } == run.states
    assert [stop("runs"), stop("starts")] == run.effects
    assert ["TASKRUN_COMPLETED waits CANCELLED", "TASKRUN_COMPLETED later CANCELLED"] == run.told
    assert run.run.state is RunState.RUNNING


def test_a_cancelled_run_ends_with_its_last_container() -> None:
    run = under_way()

    run(cancel(), exited("runs", 143))
    before = run.run.state
    run(lost("starts"))

    assert (RunState.RUNNING, RunState.CANCELLED) == (before, run.run.state)
    assert (ReasonCode.CANCELLED, run.now) == (code(run.run), run.run.ended_at)
    assert "RUN_COMPLETED CANCELLED" == run.told[-1]


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_after_its_stop_was_committed_is_cancelled_whatever_its_code(end: Signal) -> None:
    run = one_task(started("runs"), cancel_task("runs"))

    run(end)

    assert (TaskState.CANCELLED, "cancelled") == (run.task("runs").state, code(run.task("runs")))
    assert getattr(end, "exit_code", None) == run.task("runs").exit_code


def test_a_container_that_starts_while_it_is_stopped_tells_of_its_start() -> None:
    run = one_task(cancel_task("runs"))

    run(started("runs", NOW), exited("runs", 143))

    assert ["TASKRUN_STARTED runs", "TASKRUN_COMPLETED runs CANCELLED", "RUN_COMPLETED CANCELLED"] == run.told[-3:]
    assert NOW == run.task("runs").started_at


def test_a_container_that_was_stopped_before_it_ran_has_no_start() -> None:
    run = one_task(cancel_task("runs"))

    run(exited("runs", 137))

    assert "TASKRUN_STARTED runs" not in run.told
    assert (None, 137) == (run.task("runs").started_at, run.task("runs").exit_code)


def test_force_after_a_gentle_stop_stops_again_by_force() -> None:
    run = under_way()

    gentle, again, forced = run(cancel()), run(cancel()), run(cancel(force=True))

    assert (stop("runs"), stop("starts")) == gentle.effects
    assert Step() == again
    assert (stop("runs", force=True), stop("starts", force=True)) == forced.effects
    assert run.run.stop_request is not None
    assert run.run.stop_request.force


def test_force_from_the_beginning_is_force() -> None:
    run = under_way()

    assert (stop("runs", force=True), stop("starts", force=True)) == run(cancel(force=True)).effects


def test_the_cancel_of_one_task_leaves_the_others_alone() -> None:
    run = under_way()

    run(cancel_task("runs"), exited("runs", 143))

    assert {"done": "SUCCEEDED", "runs": "CANCELLED", "starts": "STARTING", "waits": "SKIPPED", "later": "SKIPPED"} == (
        run.states
    )


def test_the_cancel_of_a_waiting_task_ends_it_and_settles_what_waits_for_it() -> None:
    run = Driver({"runs": [], "waits": ["runs"], "then": {"waits": Requirement.ANY}, "free": {"then": Requirement.ANY}})
    run(ADMITTED)

    run(cancel_task("waits"))

    assert {"runs": "STARTING", "waits": "CANCELLED", "then": "SKIPPED", "free": "STARTING"} == run.states


def test_a_run_whose_single_tasks_were_cancelled_says_so() -> None:
    run = one_task(cancel_task("runs"), lost("runs"))

    assert (RunState.CANCELLED, "task_cancelled") == (run.run.state, code(run.run))


def test_a_failure_outweighs_a_cancel() -> None:
    run = Driver({"bad": [], "runs": []})

    run(ADMITTED, exited("bad", 1), cancel(), exited("runs", 143))

    assert (RunState.FAILED, "abnormal_exit") == (run.run.state, code(run.run))


@pytest.mark.parametrize("force", [False, True])
def test_a_cancel_of_what_has_ended_changes_nothing(*, force: bool) -> None:
    run = Driver({"done": [], "other": []})
    run(ADMITTED, exited("done"))

    assert Step() == run(cancel_task("done", force=force))
    run(exited("other"))
    assert Step() == run(cancel(force=force))
    assert Step() == run(cancel_task("other", force=force))


def test_a_queued_run_is_cancelled_or_fails_without_task_runs() -> None:
    cancelled, failed = Driver(GRAPH), Driver(GRAPH)

    cancelled(cancel())
    failed(FAULT)

    assert (RunState.CANCELLED, "cancelled", {}) == (cancelled.run.state, code(cancelled.run), cancelled.states)
    assert (RunState.FAILED, "internal_error", {}) == (failed.run.state, code(failed.run), failed.states)
    assert ["RUN_COMPLETED CANCELLED"] == cancelled.told
    assert ["RUN_COMPLETED FAILED"] == failed.told


def test_a_queued_run_with_a_stored_cancel_is_not_admitted() -> None:
    run = Driver(GRAPH)
    run.ask()

    run(ADMITTED)

    assert (RunState.CANCELLED, {}) == (run.run.state, run.states)


@pytest.mark.parametrize("end", ENDS)
def test_what_the_deadline_stops_has_failed_and_so_has_its_run(end: Signal) -> None:
    run = one_task(started("runs"), DeadlinePassed())

    run(end)

    assert (TaskState.FAILED, "timed_out") == (run.task("runs").state, code(run.task("runs")))
    assert (RunState.FAILED, "timed_out") == (run.run.state, code(run.run))


def test_the_deadline_cancels_what_waits() -> None:
    run = under_way()

    run(DeadlinePassed(), exited("runs", 143), refused("starts"))

    assert {"done": "SUCCEEDED", "runs": "FAILED", "starts": "FAILED", "waits": "CANCELLED", "later": "CANCELLED"} == (
        run.states
    )
    assert "timed_out" == code(run.task("waits"))


@pytest.mark.parametrize("order", [(cancel(), DeadlinePassed()), (cancel(), FAULT), (cancel(force=True), FAULT)])
def test_a_cancel_that_was_committed_first_decides(order: tuple[Signal, ...]) -> None:
    run = one_task(started("runs"), *order)

    run(exited("runs", 143))

    assert (TaskState.CANCELLED, RunState.CANCELLED) == (run.task("runs").state, run.run.state)


def test_a_cancel_after_the_deadline_can_only_hurry_it() -> None:
    run = one_task(started("runs"), DeadlinePassed())

    gentle, forced = run(cancel()), run(cancel(force=True))
    run(exited("runs", 137))

    assert Step() == gentle
    assert (stop("runs", force=True),) == forced.effects
    assert (RunState.FAILED, "timed_out") == (run.run.state, code(run.run))


def test_a_task_that_was_cancelled_before_the_deadline_is_cancelled_and_the_run_timed_out() -> None:
    run = one_task(started("runs"), cancel_task("runs"), DeadlinePassed())

    run(exited("runs", 143))

    assert (TaskState.CANCELLED, RunState.FAILED, "timed_out") == (
        run.task("runs").state,
        run.run.state,
        code(run.run),
    )


def test_an_internal_fault_stops_what_lives_before_the_run_fails() -> None:
    run = under_way()

    run(FAULT)
    before = run.run.state
    run(exited("runs", 143), lost("starts"))

    assert (RunState.RUNNING, RunState.FAILED, "internal_error") == (before, run.run.state, code(run.run))
    assert run.run.reason is not None
    assert "a fault of ours" == run.run.reason.description
    assert [stop("runs"), stop("starts")] == run.effects
    assert {"CANCELLED"} == {run.states[each] for each in ("runs", "starts", "waits", "later")}


@pytest.mark.parametrize("signal", [DeadlinePassed(), FAULT, started("runs"), exited("runs"), lost("runs")])
def test_a_stored_cancel_of_the_run_comes_before_any_other_signal(signal: Signal) -> None:
    run = Driver({"runs": [], "then": {"runs": Requirement.ANY}})
    run(ADMITTED, started("runs"))
    run.ask()

    run(signal, exited("runs"))

    assert {"runs": "CANCELLED", "then": "CANCELLED"} == run.states
    assert (RunState.CANCELLED, "cancelled") == (run.run.state, code(run.run))


def test_what_a_stored_cancel_ends_in_the_same_step_is_not_stopped_any_more() -> None:
    run = Driver({"runs": [], "other": []})
    run(ADMITTED, started("runs"))
    run.ask()

    assert (stop("other"),) == run(exited("runs")).effects


@pytest.mark.parametrize("end", ENDS)
def test_a_stored_cancel_of_a_task_comes_before_its_end(end: Signal) -> None:
    run = one_task(started("runs"))
    run.ask(task="runs", force=True)

    step = run(end)

    assert (TaskState.CANCELLED, ()) == (run.task("runs").state, step.effects)


def test_a_stored_cancel_of_a_task_comes_before_the_deadline() -> None:
    run = one_task(started("runs"))
    run.ask(task="runs", force=True)

    step = run(DeadlinePassed())
    run(exited("runs", 137))

    assert (stop("runs", force=True),) == step.effects
    assert TaskState.CANCELLED is run.task("runs").state


def test_a_waiting_task_with_a_stored_cancel_is_never_launched() -> None:
    run = Driver({"runs": [], "waits": ["runs"]})
    run(ADMITTED)
    run.ask(task="waits")

    run(exited("runs"))

    assert {"runs": "SUCCEEDED", "waits": "CANCELLED"} == run.states


def test_the_first_request_holds_unless_a_later_one_is_by_force() -> None:
    first = StopRequest(at=NOW, force=False)
    later = StopRequest(at=NOW + timedelta(seconds=1), force=False)
    forced = StopRequest(at=NOW + timedelta(seconds=2), force=True)

    assert first == stronger(first, later) == stronger(first, None) == stronger(None, first)
    assert forced == stronger(first, forced) == stronger(forced, first)
    assert stronger(None, None) is None


def test_nothing_is_launched_for_a_run_that_is_being_stopped() -> None:
    run = under_way()

    run(cancel(), exited("runs"), started("starts"), exited("starts"))

    assert not [effect for effect in run.effects if isinstance(effect, LaunchTask)]
