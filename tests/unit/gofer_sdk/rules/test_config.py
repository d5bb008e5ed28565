"""The rules for a whole configuration: every fault, in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk.rules.config import (
    MAX_ARGUMENT_BYTES,
    MAX_TASK_START_BYTES,
    MAX_TASKS,
    ConfigDraft,
    Requirement,
    TaskDraft,
    config_faults,
    find_requirement,
)
from gofer_sdk.rules.text import list_faults

TASK = TaskDraft(id="build", image="busybox:latest")
CONFIG = ConfigDraft(id="nightly", name="Nightly", tasks=(TASK,))


def faults_of(**changes: object) -> tuple[str, ...]:
    """Return the faults of the good configuration whose one task was changed."""
    return config_faults(replace(CONFIG, tasks=(replace(TASK, **changes),)))  # type: ignore[arg-type]


def test_a_full_good_configuration_has_no_fault() -> None:
    child = TaskDraft(
        id="check",
        image="registry.example:5000/a/b@sha256:abc",
        description="Ünïcode and\nlines",
        depends_on={"build": "success"},
        variables={"A": "1", "a.b-c": "pipeline_secret{{x}}", "EMPTY": "", "EQ": "a=b"},
        entrypoint=("/bin/sh",),
        command=("-c", "exit 0\n", ""),
        registry_user="me",
        registry_password="geheim",
    )

    assert config_faults(replace(CONFIG, parallelism=3, tasks=(TASK, child))) == ()


def test_a_pipeline_without_a_task_is_allowed() -> None:
    assert config_faults(replace(CONFIG, tasks=())) == ()


def test_every_fault_is_told_with_its_place() -> None:
    faults = config_faults(
        ConfigDraft(
            id="a-b",
            parallelism=-1,
            tasks=(
                TaskDraft(id="x", image=""),
                TaskDraft(id="one", image="i", depends_on={"two": 9}),
                TaskDraft(id="two", image="i", depends_on={"one": "any", "nil": 0}),
                TaskDraft(id="two", image="i"),
            ),
        )
    )

    assert faults == (
        (
            "pipeline id 'a-b' holds characters that an id may not have: use only the letters a-z and A-Z, digits and "
            "underscores"
        ),
        "parallelism -1 is not allowed: use 0 for no limit, or a positive number",
        "task number 1: task id 'x' is too short: an id has at least 3 characters",
        "task number 1: it has no image: name a container image, such as busybox:latest",
        "task 'one': the dependency on 'two' has the unknown status '9': use any, success or failure",
        "task 'two': the dependency on 'nil' has the unknown status '0': use any, success or failure",
        "task id 'two' is used by 2 tasks: give each task an id of its own",
        "task 'two' depends on 'nil', which is no task of this pipeline: add that task or remove the dependency",
        (
            "tasks wait for each other in a circle, so that none could start: one -> two -> one: remove one of these "
            "dependencies"
        ),
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"image": " "}, "it has no image"),
        ({"image": "busybox latest"}, "holds white space"),
        ({"image": "busybox\n"}, "holds white space"),
        ({"image": "busy\0box"}, "holds a NUL"),
        ({"variables": {"": "x"}}, "a variable has an empty key"),
        ({"variables": {"A=B": "x"}}, "the variable key 'A=B' holds a '='"),
        ({"variables": {"A\0": "x"}}, "holds a NUL"),
        ({"variables": {"A": "x\0"}}, "the value of variable 'A' holds a NUL"),
        ({"variables": {"A": "\ud800"}}, "no character of UTF-8"),
        ({"variables": {"A": "x" * MAX_ARGUMENT_BYTES}}, "shorten it"),
        ({"command": ("a", "b\0")}, "part 2 of its command holds a NUL"),
        ({"entrypoint": ("a\0",)}, "part 1 of its entrypoint holds a NUL"),
        ({"command": ("ä" * MAX_ARGUMENT_BYTES,)}, "part 1 of its command has"),
        ({"command": ("x" * 100_000,) * (MAX_TASK_START_BYTES // 100_000 + 1)}, "pass large data as an object"),
        ({"description": "a\0"}, "its description holds a NUL"),
        ({"description": "a" * 100_000}, "its description has 100,000 bytes"),
        ({"registry_user": "\0"}, "its registry user holds a NUL"),
        ({"registry_password": "geheim\0"}, "its registry password holds a NUL"),
    ],
)
def test_a_fault_of_a_task_names_the_task_and_the_place(changes: dict[str, object], expected: str) -> None:
    (fault,) = faults_of(**changes)

    assert fault.startswith("task 'build': ")
    assert expected in fault
    assert "geheim" not in fault


def test_the_largest_variable_that_linux_takes_is_allowed() -> None:
    assert faults_of(variables={"A": "x" * (MAX_ARGUMENT_BYTES - 2)}) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "a\0"}, "pipeline name holds a NUL"),
        ({"name": "a" * 2000}, "pipeline name has 2,000 bytes"),
        ({"description": "\udfff"}, "pipeline description holds"),
        ({"parallelism": 2**63}, "parallelism 9223372036854775808 is not allowed"),
    ],
)
def test_a_fault_of_the_pipeline_names_its_place(changes: dict[str, object], expected: str) -> None:
    (fault,) = config_faults(replace(CONFIG, **changes))  # type: ignore[arg-type]

    assert expected in fault


def test_more_tasks_than_allowed_are_told() -> None:
    tasks = tuple(TaskDraft(id=f"task_{number}", image="i") for number in range(MAX_TASKS + 1))

    (fault,) = config_faults(replace(CONFIG, tasks=tasks))

    assert "split it" in fault


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, Requirement.ANY),
        (2, Requirement.SUCCESS),
        (3, Requirement.FAILURE),
        ("any", Requirement.ANY),
        ("SUCCESS", Requirement.SUCCESS),
        (Requirement.FAILURE, Requirement.FAILURE),
        (0, None),
        (4, None),
        (-1, None),
        ("", None),
        ("failed", None),
    ],
)
def test_requirements_come_as_numbers_and_as_words(value: int | str, expected: Requirement | None) -> None:
    assert expected is find_requirement(value)


def test_a_secret_does_not_show_in_the_repr_of_a_draft() -> None:
    draft = TaskDraft(id="a", image="b", variables={"A": "geheim"}, registry_password="geheim")

    assert "geheim" not in repr(draft)


@pytest.mark.fuzz
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers()))
def test_any_text_is_judged_and_never_raises(name: str, image: str, key: str, needs: dict[str, int | str]) -> None:
    task = TaskDraft(id=key, image=image, variables={key: name}, command=(image,), depends_on=needs)

    for fault in config_faults(ConfigDraft(id=name, name=name, description=key, tasks=(task,))):
        assert fault.isprintable()


def test_faults_are_joined_and_what_does_not_fit_is_counted() -> None:
    assert list_faults(["one", "two"]) == "one; two"
    assert list_faults(["x" * 90] * 20, max_characters=200).endswith("; and 18 more")
    assert list_faults(["x" * 300], max_characters=200) == "x" * 300
