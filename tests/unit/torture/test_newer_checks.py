"""The checks of what times out, is deleted and expires find what they are there for."""

from dataclasses import replace

import pytest

from gofer_sdk._proto import proto
from tests.torture.doomed import faults_of_doomed, faults_of_last_words
from tests.torture.ends import Ended, faults_of_ends
from tests.torture.expiry import faults_of_expiry
from tests.torture.ledger import AskedRun, Doomed, Ledger
from tests.torture.pipelines import BY_NAME, Engine
from tests.torture.stored import Stored, StoredEvent, StoredRun
from tests.torture.timeouts import faults_of_timeout, may_be_late, may_have_ended_before

_Status = proto.TaskRunTaskRunStatus
TIMED_OUT = proto.TaskRunStatusReason(code="timed_out")
ENDLESS = BY_NAME["overlong"].task("endless")  # 400 ms
LATE = BY_NAME["late"]  # 700 ms


def late_run(**changes: object) -> proto.Run:
    fields = {
        "admitted": 1000,
        "ended": 1800,
        "status": proto.RunRunStatus.FAILED,
        "status_reason": proto.RunStatusReason(code="timed_out"),
    }
    return proto.Run(**{**fields, **changes})  # type: ignore[arg-type]


def timed_out(
    *, started: int = 1000, ended: int = 1400, status: proto.TaskRunTaskRunStatus = _Status.FAILED
) -> proto.TaskRun:
    return proto.TaskRun(status=status, status_reason=TIMED_OUT, started=started, ended=ended)


def faults(name: str, task: str, found: proto.TaskRun, *, cancelled_at: int = 0) -> list[str]:
    graph = BY_NAME[name]
    return list(faults_of_timeout(graph.task(task), graph, found, late_run(), cancelled_at=cancelled_at))


def test_a_timeout_in_its_time_is_right() -> None:
    assert [] == faults("overlong", "endless", timed_out())
    assert [] == faults("overlong", "endless", timed_out(), cancelled_at=1401)
    assert [] == faults("late", "endless", timed_out(ended=1700))
    assert [] == faults("late", "unborn", timed_out(started=0, ended=1700, status=_Status.CANCELLED))


@pytest.mark.parametrize(
    ("name", "task", "found", "cancelled_at"),
    [
        ("overlong", "endless", timed_out(ended=1399), 0),
        ("overlong", "endless", timed_out(), 1399),
        ("overlong", "endless", timed_out(status=_Status.CANCELLED), 0),
        ("overlong", "endless", timed_out(status=_Status.SUCCESSFUL), 0),
        ("overlong", "never", timed_out(), 0),
        ("late", "endless", timed_out(ended=1699), 0),
        ("late", "endless", timed_out(ended=1700, status=_Status.CANCELLED), 0),
    ],
)
def test_a_timeout_that_can_t_be_is_found(name: str, task: str, found: proto.TaskRun, cancelled_at: int) -> None:
    assert len(faults(name, task, found, cancelled_at=cancelled_at)) == 1


def test_a_cancel_after_a_timeout_may_find_that_the_task_had_ended_before_both() -> None:
    graph = BY_NAME["overlong"]
    limit = 1400

    def may(found: proto.TaskRun, cancelled_at: int) -> bool:
        return may_have_ended_before(ENDLESS, graph, found, late_run(), cancelled_at=cancelled_at)

    assert may(timed_out(ended=limit - 1), limit)
    assert may(timed_out(ended=limit), limit)  # in the same millisecond, before it
    assert not may(timed_out(ended=limit + 1), limit + 1)
    assert not may(timed_out(ended=limit - 1), limit - 1)
    assert not may(timed_out(ended=limit - 1), 0)


def test_a_run_is_late_after_its_timeout_only() -> None:
    assert may_be_late(LATE, late_run())
    assert not may_be_late(LATE, late_run(ended=1699))
    assert not may_be_late(BY_NAME["overlong"], late_run())
    assert not may_be_late(LATE, late_run(status_reason=proto.RunStatusReason(code="cancelled")))


def deleted(*kinds: str) -> Stored:
    """Give the journal of a namespace that was deleted with its pipeline."""
    told = ["RUN_STARTED", "RUN_COMPLETED", *kinds]
    about_it = [
        StoredEvent(
            id=number,
            at=number,
            kind=kind,
            pipeline="" if kind.startswith("NAMESPACE") else "doomed_0",
            run=int(kind.startswith("RUN")),
            task="",
            status="",
        )
        for number, kind in enumerate(told, start=1)
    ]
    return Stored(health=[], events=about_it, runs={}, task_runs={}, live_versions={}, versions={})


ALL_GONE = deleted("NAMESPACE_DELETION_REQUESTED", "PIPELINE_DELETED", "NAMESPACE_DELETED")


def doomed(*, wished: bool, gone: bool) -> Ledger:
    return Ledger(doomed=[Doomed(name="doomed_0", runs=[1], is_wished_gone=wished, is_gone=gone)])


def test_what_was_deleted_leaves_its_story_and_no_row() -> None:
    row = StoredRun(pipeline="doomed_0", id=1, state="CANCELLED", request_id="0", stop_at=None, version=1)
    left = replace(ALL_GONE, runs={("doomed_0", 1): row})

    assert [] == [*faults_of_doomed(ALL_GONE, doomed(wished=True, gone=True))]
    assert [] == [*faults_of_last_words(ALL_GONE, doomed(wished=True, gone=True))]
    assert [] == [*faults_of_doomed(left, doomed(wished=True, gone=False))]
    assert [] == [*faults_of_doomed(left, doomed(wished=False, gone=False))]
    assert len([*faults_of_doomed(left, doomed(wished=True, gone=True))]) == 1
    assert len([*faults_of_doomed(ALL_GONE, doomed(wished=False, gone=False))]) == 1


@pytest.mark.parametrize(
    "told",
    [
        deleted("NAMESPACE_DELETION_REQUESTED", "PIPELINE_DELETED"),
        deleted("NAMESPACE_DELETION_REQUESTED", "PIPELINE_DELETED", "RUN_COMPLETED", "NAMESPACE_DELETED"),
        deleted("NAMESPACE_DELETION_REQUESTED", "PIPELINE_DELETED", "PIPELINE_DELETED", "NAMESPACE_DELETED"),
    ],
)
def test_a_deletion_that_is_told_wrongly_is_found(told: Stored) -> None:
    assert len([*faults_of_last_words(told, doomed(wished=True, gone=True))]) >= 1


def expired(removed: int) -> Ended:
    """Give six runs of which the logs of the first so many are gone."""
    return Ended(
        engine=Engine.MEMORY,
        events=[],
        runs={("single", run): proto.Run(pipeline="single", id=run) for run in range(1, 7)},
        task_runs={
            ("single", run): {"only": proto.TaskRun(id="only", logs_removed=run <= removed)} for run in range(1, 7)
        },
        deaths=[],
        gaps=[],
    )


def test_a_log_that_goes_before_its_time_is_found_and_one_that_is_refused() -> None:
    reader = Ledger(refused_logs=[("single", 2, "only"), ("single", 9, "only")])

    assert [] == [*faults_of_expiry(expired(2), reader)]
    assert len([*faults_of_expiry(expired(3), reader)]) == 1
    assert len([*faults_of_expiry(expired(1), reader)]) == 1


def test_who_waited_may_have_been_told_before_objects_expired() -> None:
    asked = AskedRun(pipeline="single", request_id="0", asked_ms=1, run=1, acknowledged_ms=9)
    run = proto.Run(pipeline="single", id=1, request_id="0", started=1, store_objects_expired=True)
    ended = replace(
        expired(0),
        runs={("single", 1): run},
        events=[StoredEvent(id=1, at=1, kind="RUN_STARTED", pipeline="single", run=1, task="", status="")],
    )
    told = replace(run, store_objects_expired=False)
    known = Ledger(runs=[asked], waited=[told])
    wrong = Ledger(runs=[asked], waited=[replace(told, started=2)])

    assert "waited" not in "\n".join(faults_of_ends(ended, known))
    assert "waited" in "\n".join(faults_of_ends(ended, wrong))
