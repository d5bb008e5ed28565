import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import NotFound
from gofer.core.ids import TaskId
from gofer.core.run import Reason, ReasonCode, RunState, StopRequest, TaskState
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.factories import NOW, make_run, make_task_run, run_key

LATER = NOW + timedelta(minutes=1)
KEY = run_key()
STOP = StopRequest(at=NOW, force=False)


@pytest.fixture
def started(filled: Unit) -> Unit:
    filled.runs.insert_run(make_run(state=RunState.RUNNING))
    return filled


def test_a_task_run_comes_back_as_it_was_stored(started: Unit) -> None:
    task_run = make_task_run(
        state=TaskState.FAILED,
        reason=Reason(code=ReasonCode.LAUNCH_FAILED, description="words"),
        attempt=2,
        engine="docker",
        exit_code=-1,
        started_at=NOW,
        ended_at=LATER,
        stop_request=STOP,
        logs_expired=True,
        logs_removed=True,
        silent=True,
    )

    started.runs.upsert_task_runs([task_run])

    assert started.runs.get_task_run(task_run.key) == task_run
    assert started.runs.find_task_run(task_run.key) == task_run
    assert started.runs.all_task_runs(KEY) == {"hello": task_run}


def test_storing_again_changes_what_is_there_and_adds_what_is_not(started: Unit) -> None:
    first = make_task_run("one")
    started.runs.upsert_task_runs([first])
    changed = replace(first, state=TaskState.RUNNING, attempt=1, engine="memory", started_at=LATER, silent=True)

    started.runs.upsert_task_runs([changed, make_task_run("two")])

    assert started.runs.all_task_runs(KEY) == {"one": changed, "two": make_task_run("two")}


def test_a_task_run_needs_its_run(filled: Unit) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        filled.runs.upsert_task_runs([make_task_run()])


def test_an_unknown_task_run_is_named_together_with_the_fix(started: Unit) -> None:
    key = KEY.task(TaskId("nothing"))

    with pytest.raises(
        NotFound, match=r"run default/simple/1 has no task run 'nothing'; `gofer taskrun list simple 1`"
    ):
        started.runs.get_task_run(key)
    with pytest.raises(NotFound):
        started.runs.set_task_stop_request(key, STOP)
    assert started.runs.find_task_run(key) is None


def test_task_runs_are_listed_by_their_start_those_not_started_first_ties_by_id(started: Unit) -> None:
    started.runs.insert_run(make_run(2, state=RunState.RUNNING))
    started.runs.upsert_task_runs(
        [
            make_task_run("late", started_at=LATER),
            make_task_run("b_early", started_at=NOW),
            make_task_run("a_early", started_at=NOW),
            make_task_run("z_waits"),
            make_task_run("y_waits"),
            make_task_run("other", run=2),
        ]
    )
    expected = ["y_waits", "z_waits", "a_early", "b_early", "late"]

    whole = started.runs.list_task_runs(KEY, Page())
    assert [found.id for found in whole.items] == expected

    paged, cursor = [], ""
    for _ in range(3):
        listed = started.runs.list_task_runs(KEY, Page(limit=2, cursor=cursor))
        paged += [found.id for found in listed.items]
        cursor = listed.next_cursor
    assert paged == expected
    assert cursor == ""


def test_a_stop_request_survives_a_change_by_somebody_who_has_not_seen_it(started: Unit) -> None:
    task_run = make_task_run(state=TaskState.STARTING, attempt=1)
    started.runs.upsert_task_runs([task_run])
    started.runs.set_task_stop_request(task_run.key, STOP)
    started.runs.set_task_stop_request(task_run.key, StopRequest(at=LATER, force=True))

    started.runs.upsert_task_runs([replace(task_run, state=TaskState.RUNNING)])

    assert started.runs.get_task_run(task_run.key) == replace(
        task_run, state=TaskState.RUNNING, stop_request=StopRequest(at=NOW, force=True)
    )
