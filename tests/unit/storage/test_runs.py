import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.ids import PipelineId, PipelineKey
from gofer.core.pipeline import ConfigState
from gofer.core.run import Initiator, InitiatorType, Reason, ReasonCode, RunState, StopRequest, TaskState
from gofer.storage.page import Page
from gofer.storage.runs import StaleRevision
from gofer.storage.unit import Unit
from tests.factories import KEY, NAMESPACE, NOW, make_config, make_pipeline, make_run, make_task_run, run_key

LATER = NOW + timedelta(minutes=1)
OTHER = PipelineKey(namespace=NAMESPACE, pipeline=PipelineId("other"))
STOP = StopRequest(at=NOW, force=False)
KILL = StopRequest(at=LATER, force=True)


def add_other_pipeline(unit: Unit) -> None:
    unit.pipelines.insert(make_pipeline("other"))
    unit.pipelines.insert_config(make_config(pipeline=OTHER.pipeline, state=ConfigState.LIVE))


def test_run_ids_count_from_one_for_each_pipeline(filled: Unit) -> None:
    assert [filled.runs.next_run_id(KEY) for _ in range(3)] == [1, 2, 3]
    assert filled.runs.next_run_id(OTHER) == 1


def test_run_ids_go_on_where_a_pipeline_is_made_again(unit: Unit) -> None:
    """No pipeline is there at all: the counter does not hang on its row."""
    unit.runs.next_run_id(KEY)

    assert unit.runs.next_run_id(KEY) == 2


def test_a_run_comes_back_as_it_was_stored(filled: Unit) -> None:
    run = make_run(
        state=RunState.CANCELLED,
        reason=Reason(code=ReasonCode.CANCELLED, description="words"),
        initiator=Initiator(type=InitiatorType.EXTENSION, name="cron", reason="time"),
        variables={"B": "\u00e9", "A": ""},
        request_id="abc",
        admitted_at=NOW,
        ended_at=LATER,
        stop_request=KILL,
        objects_expired=True,
        engine="docker",
        revision=7,
    )

    assert filled.runs.insert_run(run) == run

    assert filled.runs.get_run(run.key) == run
    assert filled.runs.find_run(run.key) == run
    assert list(filled.runs.get_run(run.key).variables) == ["B", "A"]


def test_an_unknown_run_is_named_together_with_the_fix(filled: Unit) -> None:
    with pytest.raises(NotFound, match=r"no run 9 of pipeline default/simple; `gofer run list simple`") as refused:
        filled.runs.get_run(run_key(9))

    assert refused.value.details == {"namespace": "default", "pipeline": "simple", "run": 9}
    assert filled.runs.find_run(run_key(9)) is None


def test_a_run_needs_its_version(filled: Unit) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        filled.runs.insert_run(make_run(version=9))


def test_runs_of_one_pipeline_are_listed_newest_first(filled: Unit) -> None:
    add_other_pipeline(filled)
    filled.runs.insert_run(make_run(pipeline=OTHER.pipeline))
    for number in (1, 2, 3):
        filled.runs.insert_run(make_run(number))

    first = filled.runs.list_runs(KEY, Page(limit=2))
    filled.runs.insert_run(make_run(4))
    second = filled.runs.list_runs(KEY, Page(limit=2, cursor=first.next_cursor))

    assert [run.id for run in first.items] == [3, 2]
    assert [run.id for run in second.items] == [1]
    assert [run.id for run in filled.runs.list_runs(KEY, Page(offset=1, limit=2)).items] == [3, 2]


def test_a_request_finds_the_newest_run_that_it_made_since_then(filled: Unit) -> None:
    filled.runs.insert_run(make_run(1, request_id="abc"))
    newest = filled.runs.insert_run(make_run(2, request_id="abc", created_at=LATER))
    filled.runs.insert_run(make_run(3, request_id="other", created_at=LATER))

    assert filled.runs.find_by_request(KEY, "abc", NOW) == newest
    assert filled.runs.find_by_request(KEY, "abc", LATER) == newest
    assert filled.runs.find_by_request(KEY, "abc", LATER + timedelta(milliseconds=1)) is None
    assert filled.runs.find_by_request(OTHER, "abc", NOW) is None


def test_the_empty_request_finds_nothing(filled: Unit) -> None:
    filled.runs.insert_run(make_run())

    assert filled.runs.find_by_request(KEY, "", NOW) is None


def test_queued_and_live_runs_come_in_the_order_of_insertion_over_all_pipelines(filled: Unit) -> None:
    add_other_pipeline(filled)
    filled.runs.insert_run(make_run(1))
    filled.runs.insert_run(make_run(1, pipeline=OTHER.pipeline, state=RunState.RUNNING))
    filled.runs.insert_run(make_run(2, pipeline=OTHER.pipeline))
    filled.runs.insert_run(make_run(2, state=RunState.RUNNING))
    filled.runs.insert_run(make_run(3))
    filled.runs.insert_run(make_run(4, state=RunState.FAILED))

    assert [str(key) for key, _ in filled.runs.queued()] == ["default/simple/1", "default/other/2", "default/simple/3"]
    assert [str(key) for key in filled.runs.live()] == ["default/other/1", "default/simple/2"]
    assert filled.runs.queued_of(KEY) == [1, 3]
    assert filled.runs.live_of(KEY) == [2]


def test_looking_for_unfinished_runs_never_reads_all_runs(filled: Unit, connection: sqlite3.Connection) -> None:
    connection.execute("ANALYZE")
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM runs WHERE namespace = 'a' AND pipeline = 'b' AND state = 'PENDING'"
    ).fetchall()

    assert "USING INDEX runs_queued" in plan[0]["detail"]


def test_an_update_stores_what_changes_and_raises_the_revision(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run())
    ended = replace(
        run,
        state=RunState.FAILED,
        reason=Reason(code=ReasonCode.ABNORMAL_EXIT, description="words"),
        admitted_at=NOW,
        ended_at=LATER,
        objects_expired=True,
        engine="docker",
    )

    stored = filled.runs.update_run(ended)

    assert stored == replace(ended, revision=1)
    assert filled.runs.get_run(run.key) == stored


def test_a_change_of_an_older_revision_is_refused_and_stores_nothing(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run())
    current = filled.runs.update_run(replace(run, state=RunState.RUNNING))

    with pytest.raises(StaleRevision, match=r"revision 1, not 0") as refused:
        filled.runs.update_run(replace(run, state=RunState.CANCELLED))

    assert isinstance(refused.value, FailedPrecondition)
    assert filled.runs.get_run(run.key) == current


def test_an_unknown_run_is_not_updated(filled: Unit) -> None:
    with pytest.raises(NotFound):
        filled.runs.update_run(make_run())


def test_a_stop_request_raises_the_revision(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run(state=RunState.RUNNING))

    filled.runs.set_run_stop_request(run.key, STOP)

    assert filled.runs.get_run(run.key) == replace(run, stop_request=STOP, revision=run.revision + 1)


@pytest.mark.parametrize("of_task", [False, True])
def test_whoever_has_not_seen_a_stop_request_stores_nothing(filled: Unit, of_task: bool) -> None:  # noqa: FBT001
    """An end that was decided on before the user's cancel was committed would beat it else."""
    run = filled.runs.insert_run(make_run(state=RunState.RUNNING))
    task_run = make_task_run(state=TaskState.RUNNING)
    filled.runs.upsert_task_runs([task_run])
    if of_task:
        filled.runs.set_task_stop_request(task_run.key, KILL)
    else:
        filled.runs.set_run_stop_request(run.key, KILL)

    with pytest.raises(StaleRevision):
        filled.runs.update_run(replace(run, state=RunState.SUCCEEDED))


def test_a_stop_request_survives_an_update(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run(state=RunState.RUNNING))
    filled.runs.set_run_stop_request(run.key, KILL)
    seen = filled.runs.get_run(run.key)

    filled.runs.update_run(replace(seen, stop_request=None, admitted_at=NOW))

    assert filled.runs.get_run(run.key).stop_request == KILL


def test_the_first_time_of_a_stop_request_stays_and_so_does_force(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run(state=RunState.RUNNING))

    for request in (STOP, KILL, StopRequest(at=LATER, force=False)):
        filled.runs.set_run_stop_request(run.key, request)

    assert filled.runs.get_run(run.key).stop_request == StopRequest(at=NOW, force=True)


def test_a_stop_request_may_be_stored_with_the_change_that_it_makes(filled: Unit) -> None:
    run = filled.runs.insert_run(make_run())

    filled.runs.update_run(replace(run, state=RunState.CANCELLED, stop_request=STOP))

    assert filled.runs.get_run(run.key).stop_request == STOP


def test_an_unknown_run_is_not_stopped(filled: Unit) -> None:
    with pytest.raises(NotFound):
        filled.runs.set_run_stop_request(run_key(9), STOP)
