from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.ids import TaskId
from gofer.core.pipeline import RegistryAuth, Requirement, Task
from gofer.storage.rows import from_ms, maybe_from_ms, maybe_to_ms, tasks_from_json, tasks_to_json, to_ms

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


@given(st.integers(-(10**12), 10**14))
def test_a_time_comes_back_from_its_milliseconds(value: int) -> None:
    assert to_ms(from_ms(value)) == value


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 1, 1, 0, 0, 0, 1999, tzinfo=UTC), 1767225600001),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1767225600000),
    ],
)
def test_times_are_milliseconds_in_utc_rounded_down(at: datetime, value: int) -> None:
    assert to_ms(at) == value


def test_no_time_stays_no_time() -> None:
    assert maybe_to_ms(None) is None
    assert maybe_from_ms(None) is None
