import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.ids import TaskId
from gofer.core.pipeline import RegistryAuth, Requirement, Task
from gofer.core.run import Reason, ReasonCode, RunState
from gofer.storage.rows import (
    config_of,
    envelope_of,
    run_of,
    run_state_to_row,
    run_to_row,
    task_run_of,
    task_run_to_row,
    tasks_from_json,
    tasks_to_json,
)
from tests.factories import make_config, make_run, make_task_run

MS = timedelta(milliseconds=1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TASKS = st.builds(
    Task,
    id=TEXT.map(TaskId),
    description=TEXT,
    image=TEXT,
    registry_auth=st.none() | st.builds(RegistryAuth, user=TEXT, sealed_password=st.binary(max_size=80)),
    depends_on=st.dictionaries(TEXT.map(TaskId), st.sampled_from(Requirement), max_size=3),
    variables=st.dictionaries(TEXT, TEXT, max_size=3),
    entrypoint=st.lists(TEXT, max_size=3).map(tuple),
    command=st.lists(TEXT, max_size=3).map(tuple),
    inject_api_token=st.booleans(),
    timeout=st.none() | st.timedeltas(timedelta(), timedelta(days=366)).map(lambda each: each // MS * MS),
)


@given(st.lists(TASKS, max_size=4).map(tuple))
def test_tasks_come_back_as_they_were_stored(tasks: tuple[Task, ...]) -> None:
    read = tasks_from_json(tasks_to_json(tasks))

    assert read == tasks
    assert [list(task.variables) for task in read] == [list(task.variables) for task in tasks]


def test_a_sealed_password_is_stored_as_base64() -> None:
    auth = RegistryAuth(user="me", sealed_password=b"\x00\xff")

    stored = tasks_to_json((Task(id=TaskId("one"), image="x", registry_auth=auth),))

    assert '"sealed_password":"AP8="' in stored


RUN: dict[str, str | int | None] = run_to_row(make_run())
TIMES = st.sampled_from([0, -1, 10**13, 10**18, -(10**18), 2**63 - 1, -(2**63)])
WORDS = st.text(max_size=5) | st.sampled_from(["", "{", "[]", '{"a":1}', "[" * 100_000, "null", '{"a":"b"}'])


@given(
    st.fixed_dictionaries(
        {
            "initiator_type": WORDS,
            "variables": WORDS,
            "reason_code": st.none() | WORDS,
            "reason_description": WORDS,
            "created_at": TIMES,
            "admitted_at": st.none() | TIMES,
            "ended_at": st.none() | TIMES,
            "stop_at": st.none() | TIMES,
        }
    )
)
def test_whatever_stands_in_a_run_it_can_be_read(broken: dict[str, str | int | None]) -> None:
    run = run_of(row_of(RUN | broken))

    assert (run.key, run.state) == (make_run().key, RunState.PENDING)
    assert run_state_to_row(run)["state"] == "PENDING"


@pytest.mark.parametrize("variables", ["", "{", "[]", "null", '{"a":1}', "[" * 100_000])
def test_variables_that_cant_be_read_are_damage(variables: str) -> None:
    run = run_of(row_of(RUN | {"variables": variables}))

    assert run.variables == {}
    assert run.damage != ""


@given(
    st.fixed_dictionaries(
        {
            "reason_code": st.none() | WORDS,
            "created_at": TIMES,
            "started_at": st.none() | TIMES,
            "ended_at": st.none() | TIMES,
            "stop_at": st.none() | TIMES,
        }
    )
)
def test_whatever_stands_in_a_task_run_it_can_be_read(broken: dict[str, str | int | None]) -> None:
    assert task_run_of(row_of(task_run_to_row(make_task_run()) | broken)).key == make_task_run().key


@given(WORDS, TIMES, st.sampled_from(["RUN_STARTED", "OF_TOMORROW"]))
def test_whatever_stands_in_the_journal_it_can_be_read(details: str, at: int, kind: str) -> None:
    envelope = envelope_of(row_of({"id": 7, "at": at, "kind": kind, "details": details}))

    assert (envelope.id, envelope.event.kind) == (7, kind)


def test_an_unknown_reason_keeps_its_words_and_its_code() -> None:
    row = RUN | {"reason_code": "meteor", "reason_description": "hit"}

    reason = run_of(row_of(row)).reason

    assert reason == Reason(code=ReasonCode.INTERNAL_ERROR, description="hit (stored with the unknown code 'meteor')")


@pytest.mark.parametrize("tasks", ["", "[", "{}1", "[1]", '[{"id":"one"}]', "null", "[" * 100_000])
def test_tasks_that_cant_be_read_are_damage(tasks: str) -> None:
    config = make_config()
    row: dict[str, str | int | None] = {
        "namespace": config.namespace,
        "pipeline": config.pipeline,
        "version": 3,
        "name": "",
        "description": "",
        "parallelism": 0,
        "tasks": tasks,
        "state": "LIVE",
        "registered_at": 0,
        "deprecated_at": None,
        "run_timeout_ms": None,
    }

    read = config_of(row_of(row))

    assert (read.version, read.tasks) == (3, ())
    assert read.damage == "its tasks are not stored as they were given"


def row_of(values: Mapping[str, str | int | None]) -> sqlite3.Row:
    """Make what the database would give of these columns."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        columns = ", ".join(f"? AS {name}" for name in values)
        row: sqlite3.Row = connection.execute(f"SELECT {columns}", tuple(values.values())).fetchone()
        return row
