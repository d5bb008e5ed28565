"""The checks of secrets, versions and terminals find what they are there for."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from tests.torture.ends import UNRESOLVED, Ended, faults_of_ends
from tests.torture.ledger import AskedRun, Gap, Ledger, Visit
from tests.torture.pipelines import SECRET, TELLING, Engine
from tests.torture.secrets import STORE, faults_of_leaks, faults_of_store, secret_of
from tests.torture.stored import Stored, StoredEvent, StoredRun
from tests.torture.terminals import faults_of_visits
from tests.torture.versions import faults_of_runs, faults_of_versions

KEY = (TELLING, 1)
KNOWN = Ledger(
    runs=[AskedRun(pipeline=TELLING, request_id="0", asked_ms=1, run=1, acknowledged_ms=2)], deployed={TELLING: 4}
)


def unresolved(*gaps: Gap) -> Ended:
    """Give a run both tasks of which missed their secret, between the milliseconds 100 and 200."""
    kinds = ["RUN_STARTED", "RUN_ADMITTED", *("TASKRUN_CREATED", "TASKRUN_COMPLETED") * 2, "RUN_COMPLETED"]
    tasks = ["", "", "tells", "tells", "again", "again", ""]
    missed = proto.TaskRun(
        status=proto.TaskRunTaskRunStatus.FAILED,
        status_reason=proto.TaskRunStatusReason(code=UNRESOLVED),
        exit_code=999,
        created=100,
        ended=200,
    )
    run = proto.Run(
        pipeline=TELLING,
        id=1,
        request_id="0",
        started=1,
        admitted=2,
        state=proto.RunRunState.COMPLETE,
        status=proto.RunRunStatus.FAILED,
    )
    return Ended(
        engine=Engine.PROCESS,
        events=[
            StoredEvent(id=number, at=number, kind=kind, pipeline=TELLING, run=1, task=task, status="")
            for number, (kind, task) in enumerate(zip(kinds, tasks, strict=True), 1)
        ],
        runs={KEY: run},
        task_runs={KEY: {"tells": missed, "again": missed}},
        deaths=[7],
        gaps=gaps,
    )


@pytest.mark.parametrize(
    ("gap", "faults"),
    [
        (Gap(from_ms=0), 0),
        (Gap(from_ms=50, until_ms=100), 0),
        (Gap(from_ms=200, until_ms=250), 0),
        (Gap(from_ms=50, until_ms=99), 2),
        (Gap(from_ms=201), 2),
    ],
)
def test_a_task_may_miss_its_secret_only_where_that_may_not_have_been_there(gap: Gap, faults: int) -> None:
    assert faults == len(faults_of_ends(unresolved(gap), KNOWN))


def test_a_secret_is_found_wherever_it_stands_in_the_clear_but_where_tasks_live(tmp_path: Path) -> None:
    places = [tmp_path / each for each in ("data/logs/one", "data/gofer.db", "data/processes/one/log", "server.log")]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("never-to-be-seen, it says")
    assert [] == [*faults_of_leaks(tmp_path)]

    for path in places:
        path.write_text(f"line\n{secret_of(random.Random(1))}\n")

    assert len([*faults_of_leaks(tmp_path)]) == len(places) - 1


def test_what_is_in_the_secret_store_for_nobody_is_found(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "gofer.db")) as names, closing(sqlite3.connect(tmp_path / STORE)) as store:
        names.execute("CREATE TABLE pipeline_secrets (key, blob)")
        store.execute("CREATE TABLE secret_blobs (blob)")
        for connection, values in ((names, f"VALUES ('{SECRET}', 'one')"), (store, "VALUES ('one')")):
            table = "pipeline_secrets" if connection is names else "secret_blobs"
            connection.execute(f"INSERT INTO {table} {values}")
            connection.commit()
        before = [*faults_of_store(tmp_path)]
        store.execute("INSERT INTO secret_blobs VALUES ('two')")
        store.commit()

    assert [] == before
    assert len([*faults_of_store(tmp_path)]) == 1


def versions(*there: int, run: int) -> Stored:
    """Give what is stored of a pipeline with these versions, of which 4 is live, and one run."""
    row = StoredRun(pipeline=TELLING, id=1, state="RUNNING", request_id="0", stop_at=None, version=run)
    return Stored(
        health=[],
        events=[],
        runs={KEY: row},
        task_runs={},
        live_versions={TELLING: [4]},
        versions={TELLING: set(there)},
    )


def test_a_version_that_a_run_is_of_stays_and_others_go_but_for_the_live_and_the_newest() -> None:
    assert [] == [*faults_of_runs(versions(1, 4, run=1), KNOWN)]
    assert len([*faults_of_runs(versions(2, 4, run=1), KNOWN)]) == 1
    assert [] == [*faults_of_versions(versions(1, 4, 6, run=1), KNOWN)]
    assert [] == [*faults_of_versions(versions(4, 5, run=1), KNOWN)]
    assert len([*faults_of_versions(versions(1, 4, 5, 6, run=1), KNOWN)]) == 1


@pytest.mark.parametrize(
    ("printed", "exit_code", "faults"),
    [
        (b"at 42\r\n", None, 0),
        (b"at 42\r\n\x04", 0, 0),
        (b"at", None, 0),
        (b"cannot exec in a stopped state: unknown\r\n", 126, 0),
        (b"line 0 of only", None, 1),
    ],
)
def test_what_a_terminal_prints_is_its_commands(printed: bytes, exit_code: int | None, faults: int) -> None:
    visit = Visit(pipeline=TELLING, run=1, task="tells", printed=printed, exit_code=exit_code)

    assert faults == len([*faults_of_visits(Ledger(visits=[visit]))])
