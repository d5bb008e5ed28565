from hypothesis import given
from hypothesis import strategies as st

from gofer.core.ids import TaskId
from gofer.core.pipeline import RegistryAuth, Requirement, Task
from gofer.storage.rows import tasks_from_json, tasks_to_json

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
