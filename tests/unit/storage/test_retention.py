import sqlite3
from datetime import timedelta

from gofer.core.ids import PipelineId, PipelineKey, RunKey, Version
from gofer.core.pipeline import ConfigState
from gofer.core.run import RunState, TaskState
from gofer.storage.unit import Unit
from tests.factories import KEY, NAMESPACE, NOW, make_config, make_pipeline, make_run, make_task_run, run_key

DONE = RunState.SUCCEEDED


def add_runs(unit: Unit, *states: RunState, pipeline: str = KEY.pipeline, tasks: int = 1) -> None:
    """Store runs from 1 on, each with some task runs that have ended."""
    for state in states:
        number = unit.runs.next_run_id(PipelineKey(namespace=NAMESPACE, pipeline=PipelineId(pipeline)))
        unit.runs.insert_run(make_run(number, pipeline=PipelineId(pipeline), state=state))
        unit.runs.upsert_task_runs(
            make_task_run(f"task_{task}", run=number, pipeline=PipelineId(pipeline), state=TaskState.SUCCEEDED)
            for task in range(tasks)
        )


def add_pipeline(unit: Unit, name: str) -> None:
    unit.pipelines.insert(make_pipeline(name))
    unit.pipelines.insert_config(make_config(pipeline=PipelineId(name), state=ConfigState.LIVE))


def logs_due(unit: Unit, *, keep: int = 2, after: RunKey | None = None, limit: int = 100) -> list[str]:
    return [
        f"{each.run.pipeline} {each.run.run}: {len(each.task_runs)}{' all' if each.all_of_run else ''}"
        for each in unit.retention.logs_due(keep=keep, after=after, limit=limit)
    ]


def test_runs_are_due_that_have_ended_and_have_as_many_newer_ones_as_are_kept(filled: Unit) -> None:
    add_runs(filled, DONE, RunState.RUNNING, DONE, DONE, RunState.PENDING)

    assert ["simple 1: 1 all", "simple 3: 1 all"] == logs_due(filled)
    assert (run_key(1), run_key(3)) == filled.retention.objects_due(keep=2, limit=10)
    assert () == filled.retention.objects_due(keep=5, limit=10)


def test_each_pipeline_counts_its_own_runs_and_they_come_in_order(filled: Unit) -> None:
    add_pipeline(filled, "other")
    add_runs(filled, *[DONE] * 3)
    add_runs(filled, *[DONE] * 4, pipeline="other")

    assert ["other 1: 1 all", "other 2: 1 all", "simple 1: 1 all"] == logs_due(filled)
    assert ["other 2: 1 all", "simple 1: 1 all"] == logs_due(filled, after=run_key(1, pipeline="other"))
    assert [] == logs_due(filled, after=run_key(1))


def test_the_logs_of_a_large_run_come_in_parts(filled: Unit) -> None:
    add_runs(filled, *[DONE] * 4, tasks=3)

    assert ["simple 1: 3 all", "simple 2: 1"] == logs_due(filled, limit=4)

    first, second = filled.retention.logs_due(keep=2, after=None, limit=4)
    filled.retention.expire_logs([*first.task_runs, *second.task_runs])
    filled.retention.expire_logs_of(first.run)

    assert ["simple 2: 2 all"] == logs_due(filled, limit=4)


def test_logs_that_are_gone_are_marked_and_not_due_again(filled: Unit) -> None:
    add_runs(filled, *[DONE] * 3)
    (due,) = filled.retention.logs_due(keep=2, after=None, limit=10)

    filled.retention.expire_logs(due.task_runs)
    filled.retention.expire_logs_of(due.run)

    (found,) = filled.runs.all_task_runs(run_key(1)).values()
    (other,) = filled.runs.all_task_runs(run_key(2)).values()
    assert (True, True, False, False) == (
        found.logs_expired,
        found.logs_removed,
        other.logs_expired,
        other.logs_removed,
    )
    assert [] == logs_due(filled)


def test_a_log_that_a_user_removed_is_not_due(filled: Unit, connection: sqlite3.Connection) -> None:
    add_runs(filled, *[DONE] * 3, tasks=2)
    connection.execute("UPDATE task_runs SET logs_removed = 1 WHERE id = 'task_0'")

    assert ["simple 1: 1 all"] == logs_due(filled)


def test_the_objects_of_a_run_expire_once(filled: Unit) -> None:
    add_runs(filled, DONE, RunState.RUNNING)

    assert filled.retention.expire_objects(run_key(1))
    assert filled.runs.get_run(run_key(1)).objects_expired
    assert not filled.retention.expire_objects(run_key(1))
    assert not filled.retention.expire_objects(run_key(2)), "it has not ended"
    assert not filled.retention.expire_objects(run_key(9))


def test_looking_for_what_is_due_reads_only_what_is(filled: Unit, connection: sqlite3.Connection) -> None:
    add_runs(filled, *[DONE] * 3)
    plans: list[str] = []
    connection.set_trace_callback(plans.append)
    filled.retention.logs_due(keep=2, after=None, limit=10)
    filled.retention.objects_due(keep=2, limit=10)
    connection.set_trace_callback(None)

    steps = [
        row["detail"]
        for sql in plans
        if "run_counters" in sql
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]

    assert len(steps) == 4, steps
    assert all("namespace=? AND pipeline=? AND id" in step for step in steps[1::2]), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


def test_request_ids_are_forgotten_by_their_age_and_their_runs_stay(filled: Unit) -> None:
    for number, hours in enumerate((30, 26, 24, 1), start=1):
        filled.runs.insert_run(
            make_run(number, request_id=f"r{number}", created_at=NOW - timedelta(hours=hours), state=DONE)
        )
    day_ago = NOW - timedelta(hours=24)

    assert filled.retention.has_request_ids(day_ago)
    assert 1 == filled.retention.forget_request_ids(day_ago, 1)
    assert 1 == filled.retention.forget_request_ids(day_ago, 9)
    assert not filled.retention.has_request_ids(day_ago)

    found = [filled.runs.get_run(run_key(number)).request_id for number in range(1, 5)]
    assert ["", "", "r3", "r4"] == found


def test_pipelines_with_too_many_versions_are_found_one_behind_the_other(filled: Unit) -> None:
    for name in ("other", "third"):
        add_pipeline(filled, name)
        for version in (2, 3):
            filled.pipelines.insert_config(make_config(version, pipeline=PipelineId(name)))

    found = filled.retention.pipelines_over_versions(2, after=None, limit=10)
    rest = filled.retention.pipelines_over_versions(2, after=found[0], limit=10)

    assert ["other", "third"] == [key.pipeline for key in found]
    assert ["third"] == [key.pipeline for key in rest]
    assert () == filled.retention.pipelines_over_versions(3, after=None, limit=10)


def test_versions_that_runs_were_made_from_do_not_count_against_those_without(filled: Unit) -> None:
    for version in range(2, 8):
        filled.pipelines.insert_config(make_config(version))
    for version in range(1, 5):
        filled.runs.insert_run(make_run(version, version=Version(version), state=DONE))

    assert not filled.pipelines.is_prunable(KEY, keep=3, spare=Version(7))
    assert filled.pipelines.is_prunable(KEY, keep=2, spare=Version(7))
    assert (5,) == filled.pipelines.prune_configs(KEY, keep=2, spare=Version(7), most=9)


def test_versions_go_some_at_a_time(filled: Unit) -> None:
    for version in range(2, 8):
        filled.pipelines.insert_config(make_config(version))

    gone = [filled.pipelines.prune_configs(KEY, keep=2, spare=Version(7), most=3) for _ in range(3)]

    assert [(2, 3, 4), (5, 6), ()] == gone
