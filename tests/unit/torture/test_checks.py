"""The checks of the torture find what they are there for: each is shown a small history with one fault in it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from tests.torture.batch import Case, Outcome
from tests.torture.ends import Ended, faults_of_ends
from tests.torture.ledger import AskedCancel, AskedRun, Ledger
from tests.torture.moments import Ending, moments
from tests.torture.orders import Orders
from tests.torture.page import BEGIN, END, put_into, tables
from tests.torture.pipelines import BY_NAME, Engine
from tests.torture.results import Result, keep, kept
from tests.torture.stored import Stored, StoredEvent, StoredRun, StoredTaskRun, faults_of_stored
from tests.torture.traces import Executions, faults_of_logs, faults_of_marks, faults_of_times, is_merged

KEY = ("single", 1)
LOG = BY_NAME["single"].task("only").output(Engine.PROCESS)
_Status = proto.TaskRunTaskRunStatus


def event(number: int, kind: str, *, task: str = "", at: int = 0) -> StoredEvent:
    return StoredEvent(id=number, at=at or number, kind=kind, pipeline="single", run=1, task=task, status="")


def journal(*more: StoredEvent) -> list[StoredEvent]:
    """Give the events of one run that went well, and more of them after its start."""
    kinds = ["TASKRUN_CREATED", "TASKRUN_STARTED", "TASKRUN_COMPLETED"]
    first = [event(1, "RUN_STARTED"), event(2, "RUN_ADMITTED")]
    middle = [event(3 + number, kind, task="only") for number, kind in enumerate(kinds)]
    return [*first, *middle, event(6, "RUN_COMPLETED"), *more]


def stored(events: list[StoredEvent], *, state: str = "SUCCEEDED") -> Stored:
    return Stored(
        health=[],
        events=events,
        runs={KEY: StoredRun(pipeline="single", id=1, state=state, request_id="0-0", stop_at=None, version=1)},
        task_runs={(*KEY, "only"): StoredTaskRun(pipeline="single", run=1, id="only", state="SUCCEEDED", stop_at=None)},
        live_versions={},
        versions={},
    )


def ledger() -> Ledger:
    asked = AskedRun(pipeline="single", request_id="0-0", asked_ms=1, run=1, acknowledged_ms=2)
    return Ledger(runs=[asked])


def run(status: proto.RunRunStatus = proto.RunRunStatus.SUCCESSFUL) -> proto.Run:
    return proto.Run(
        namespace="default",
        pipeline="single",
        id=1,
        request_id="0-0",
        started=1,
        admitted=2,
        ended=6,
        state=proto.RunRunState.COMPLETE,
        status=status,
    )


def task_run(**changes: object) -> proto.TaskRun:
    fields = {
        "id": "only",
        "status": _Status.SUCCESSFUL,
        "status_reason": proto.TaskRunStatusReason(),
        "created": 3,
        "started": 4,
        "ended": 5,
    }
    return proto.TaskRun(**{**fields, **changes})  # type: ignore[arg-type]


def ended(
    found: proto.TaskRun | None = None, *, engine: Engine = Engine.PROCESS, events: list[StoredEvent] | None = None
) -> Ended:
    return Ended(
        engine=engine,
        events=events or journal(),
        runs={KEY: run()},
        task_runs={KEY: {"only": found or task_run()}},
        deaths=[4],
        gaps=[],
    )


def faults_on_disk(what: Stored, known: Ledger, path: Path, commits: str = "") -> str:
    path.write_text(commits)
    return "\n".join(faults_of_stored(what, known, path))


def test_a_history_without_a_fault_has_none(tmp_path: Path) -> None:
    logs = {(*KEY, "only"): LOG}
    marks = {(*KEY, "only"): Executions(begun={"a"}, ended={"a"})}

    assert faults_on_disk(stored(journal()), ledger(), tmp_path / "commits", "5 TASKRUN_COMPLETED\n") == ""
    assert faults_of_ends(ended(), ledger()) == []
    assert [*faults_of_marks(ended(), marks), *faults_of_times(ended()), *faults_of_logs(ended(), logs, ledger())] == []


def test_what_is_wrong_on_the_disk_is_found(tmp_path: Path) -> None:
    path = tmp_path / "commits"
    gap = [each for each in journal() if each.id != 4]
    twice = journal(event(7, "RUN_COMPLETED"))
    back = [*journal()[:5], event(6, "RUN_COMPLETED", at=3)]
    lost = Ledger(runs=[AskedRun(pipeline="single", request_id="x", asked_ms=1, run=2, acknowledged_ms=2)])
    told = ledger()
    told.events.append(proto.Event(id=1, type="RUN_ADMITTED"))

    assert "4 is missing" in faults_on_disk(stored(gap), ledger(), path)
    assert "2 RUN_COMPLETED" in faults_on_disk(stored(twice), ledger(), path)
    assert "2 ms before" in faults_on_disk(stored(back), ledger(), path)
    assert "acknowledged and is not stored" in faults_on_disk(stored(journal()), lost, path)
    assert "all of its task runs have ended" in faults_on_disk(stored(journal()[:5], state="RUNNING"), ledger(), path)
    assert "committed after" in faults_on_disk(stored(journal()), ledger(), path, "2 RUN_ADMITTED\n1 RUN_STARTED\n")
    assert "told of event 1, RUN_ADMITTED" in faults_on_disk(stored(journal()), told, path)


def test_a_lost_cancel_is_found(tmp_path: Path) -> None:
    known = ledger()
    known.cancels.append(AskedCancel(pipeline="single", run=1, task="", force=False, asked_ms=1, acknowledged_ms=3))
    running = stored(journal()[:4], state="RUNNING")

    assert "cancel is not stored" in faults_on_disk(running, known, tmp_path / "commits")
    assert "had no effect" in "\n".join(faults_of_ends(ended(), known))


@pytest.mark.parametrize(
    "found",
    [
        task_run(status=_Status.FAILED, exit_code=1, status_reason=proto.TaskRunStatusReason(code="abnormal_exit")),
        task_run(status=_Status.FAILED, exit_code=999, status_reason=proto.TaskRunStatusReason(code="orphaned")),
        task_run(status=_Status.CANCELLED, exit_code=999, status_reason=proto.TaskRunStatusReason(code="cancelled")),
        task_run(exit_code=3),
    ],
)
def test_a_wrong_end_is_found(found: proto.TaskRun) -> None:
    assert "only ended" in "\n".join(faults_of_ends(ended(found), ledger()))


def test_on_the_memory_engine_a_task_that_its_server_did_not_outlive_is_orphaned() -> None:
    lost = task_run(status=_Status.FAILED, exit_code=999, status_reason=proto.TaskRunStatusReason(code="orphaned"))
    died = ended(lost, engine=Engine.MEMORY)
    died.runs[KEY].status = proto.RunRunStatus.FAILED

    assert faults_of_ends(died, ledger()) == []
    assert "only ended" in "\n".join(faults_of_ends(ended(engine=Engine.MEMORY), ledger()))


def test_a_task_that_ran_twice_or_not_at_all_is_found() -> None:
    key = (*KEY, "only")

    for marks in ({}, {key: Executions(begun={"a", "b"}, ended={"a"})}, {key: Executions(begun={"a"}, starts=2)}):
        assert len(list(faults_of_marks(ended(), marks))) == 1


def test_a_missing_or_doubled_byte_is_found() -> None:
    for log in (LOG[:-1], LOG + b"x", LOG.replace(b"line 3", b"line 4")):
        assert len(list(faults_of_logs(ended(), {(*KEY, "only"): log}, ledger()))) == 1


def test_only_on_the_memory_engine_a_task_without_a_start_may_have_written() -> None:
    """It ran, and died with its server, before its start was stored."""
    found = task_run(status=_Status.CANCELLED, started=0, status_reason=proto.TaskRunStatusReason(code="cancelled"))
    logs = {(*KEY, "only"): LOG[:50]}

    assert [] == list(faults_of_logs(ended(found, engine=Engine.MEMORY), logs, ledger()))
    assert len(list(faults_of_logs(ended(found), logs, ledger()))) == 1


def test_times_out_of_order_are_found() -> None:
    assert len(list(faults_of_times(ended(task_run(started=2))))) == 1
    assert len(list(faults_of_times(ended(task_run(ended=7))))) >= 1


def test_a_log_is_two_streams_mixed_anyhow() -> None:
    assert is_merged(b"a1b2cc3", b"abcc", b"123", whole=True)
    assert is_merged(b"aaab", b"aab", b"a", whole=True)
    assert is_merged(b"a12", b"abcc", b"123", whole=False)
    assert not is_merged(b"a12", b"abcc", b"123", whole=True)
    assert not is_merged(b"a2", b"abcc", b"123", whole=False)


def test_a_seed_gives_the_same_moments_and_orders_cross_a_process_border(tmp_path: Path) -> None:
    import random

    once, again = (moments(random.Random("7 moments"), Ending.BOTH, 50) for _ in range(2))
    orders = Orders(folder=tmp_path, engine="memory", port=1, number=2, max_tasks=3, moment=once[0])

    assert once == again
    assert orders == Orders.from_json(orders.to_json())


def test_results_are_kept_and_become_tables_of_the_page(tmp_path: Path) -> None:
    for seed in (5, 6, 8):
        case = Case(engine=Engine.MEMORY, ending=Ending.KILL, seed=seed, kills=2)
        outcome = Outcome(case=case, struck=Counter({"commit": 2}), figures=Counter({"runs": 3}), seconds=1.5)
        keep(outcome, tmp_path / "results")
    found = list(kept([tmp_path / "results"]))
    page = tmp_path / "page"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    put_into(page, tables(found))

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert all(isinstance(each, Result) for each in found)
    assert f"| memory | SIGKILL | 6 | 5 to 6, 8 | 9 | 0 | 0 | 0 | 0 | 0.0 | {today} | 0 |" in page.read_text()
    assert page.read_text().startswith(f"before\n{BEGIN}\n\n| engine |")
    assert page.read_text().endswith(f"{END}\nafter\n")
    assert "timeouts" not in page.read_text()


def test_batches_that_meet_timeouts_and_deletions_are_told_apart() -> None:
    case = Case(engine=Engine.MEMORY, ending=Ending.KILL, seed=1, kills=2)
    older = Outcome(case=case, struck=Counter({"commit": 2}), figures=Counter({"runs": 3}))
    newer = Outcome(case=case, struck=Counter({"prune": 2}), figures=Counter({"timed out": 4, "logs expired": 7}))
    at = datetime.now(UTC)

    assert "| memory | SIGKILL | 2 | 4 | 0 | 0 | 7 |" in tables(
        [Result(outcome=each, at=at) for each in (older, newer)]
    )
