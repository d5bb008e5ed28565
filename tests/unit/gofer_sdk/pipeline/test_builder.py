"""What an author writes, and what becomes of it."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from inspect import currentframe
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk._proto import proto
from gofer_sdk.pipeline import (
    Pipeline,
    PipelineFaults,
    RegistryAuth,
    Requirement,
    Task,
    after,
    global_secret,
    pipeline_object,
    run_object,
    secret,
)

Status = proto.UserPipelineTaskConfigRequiredParentStatus

BUILD = Task(id="build", image="busybox:latest")


def here(offset: int = 0) -> str:
    """Return `test_builder.py:LINE` of the caller."""
    frame = currentframe()
    assert isinstance(frame, FrameType)
    assert isinstance(frame.f_back, FrameType)
    return f"test_builder.py:{frame.f_back.f_lineno + offset}: "


def faults_of(*tasks: Task) -> list[str]:
    """Return the faults that a pipeline of these tasks is refused for."""
    with pytest.raises(PipelineFaults) as refused:
        Pipeline(id="nightly", tasks=tasks)
    return [fault.text for fault in refused.value.faults]


def test_a_pipeline_becomes_its_message() -> None:
    check = Task(
        id="check",
        image="registry.example/check:1",
        description="Look at it",
        entrypoint=["/bin/check"],
        command=["--all"],
        variables={"TOKEN": secret("token"), "MODE": "fast"},
        registry_auth=RegistryAuth(user="me", password="geheim"),
        inject_api_token=True,
        depends_on=[BUILD],
    )
    pipeline = Pipeline(id="nightly", name="Nightly", description="Each night", parallelism=2, tasks=[BUILD, check])

    assert pipeline.to_message() == proto.UserPipelineConfig(
        id="nightly",
        name="Nightly",
        description="Each night",
        parallelism=2,
        tasks=[
            proto.UserPipelineTaskConfig(id="build", image="busybox:latest"),
            proto.UserPipelineTaskConfig(
                id="check",
                description="Look at it",
                image="registry.example/check:1",
                registry_auth=proto.RegistryAuth(user="me", pass_="geheim"),
                depends_on={"build": Status.SUCCESS},
                variables={"TOKEN": "pipeline_secret{{token}}", "MODE": "fast"},
                entrypoint=["/bin/check"],
                command=["--all"],
                inject_api_token=True,
            ),
        ],
    )


def test_timeouts_are_texts_or_timedeltas() -> None:
    tasks = [Task(id="one", image="i", timeout="1h30m"), Task(id="two", image="i", timeout=timedelta(seconds=90))]

    message = Pipeline(id="nightly", tasks=tasks, run_timeout=timedelta(hours=8)).to_message()

    assert [task.timeout for task in message.tasks] == ["1h30m", "1m30s"]
    assert message.run_timeout == "8h0m0s"


def test_a_wrong_timeout_of_the_pipeline_is_told_in_words() -> None:
    with pytest.raises(PipelineFaults, match="run timeout: 'soon' is not a duration"):
        Pipeline(id="nightly", tasks=[], run_timeout="soon")
    with pytest.raises(PipelineFaults, match="the pipeline's run timeout is 5: write a duration"):
        Pipeline(id="nightly", tasks=[], run_timeout=5)  # type: ignore[arg-type]  # the mistake


def test_a_pipeline_without_a_name_is_called_by_its_id() -> None:
    assert Pipeline(id="nightly", tasks=[]).to_message().name == "nightly"


@pytest.mark.parametrize(
    "depends_on",
    [
        [BUILD, after("test", "failure"), after("lint", "any")],
        ["build", after("test", Requirement.FAILURE), after("lint", Requirement.ANY)],
        {"build": "success", "test": "failure", "lint": "any"},
        {BUILD: "success", "test": Requirement.FAILURE, "lint": "any"},
        (each for each in (BUILD, after("test", "failure"), after("lint", "any"))),
    ],
    ids=["list", "ids", "mapping", "mixed mapping", "generator"],
)
def test_dependencies_come_in_several_forms(depends_on: list[Task]) -> None:
    others = [Task(id=name, image="i") for name in ("test", "lint")]
    child = Task(id="child", image="i", depends_on=depends_on)

    message = Pipeline(id="nightly", tasks=[BUILD, *others, child]).to_message()

    assert message.tasks[-1].depends_on == {"build": Status.SUCCESS, "test": Status.FAILURE, "lint": Status.ANY}


def test_a_script_is_run_by_its_interpreter_and_loses_its_indentation() -> None:
    task = Task(
        id="greet",
        image="i",
        script="""
            if true; then
                echo "hello"
            fi
        """,
    )
    python = Task(id="other", image="i", script="print(1)", interpreter=("python3", "-c"))

    first, second = Pipeline(id="nightly", tasks=[task, python]).to_message().tasks

    assert first.entrypoint == ["/bin/sh", "-c"]
    assert first.command == ['if true; then\n    echo "hello"\nfi\n']
    assert second.entrypoint == ["python3", "-c"]
    assert second.command == ["print(1)\n"]


def test_the_references_are_spelled_as_the_server_reads_them() -> None:
    assert secret("a") == "pipeline_secret{{a}}"
    assert global_secret("a") == "global_secret{{a}}"
    assert pipeline_object("a") == "pipeline_object{{a}}"
    assert run_object("a") == "run_object{{a}}"


def test_all_faults_are_told_together_with_file_and_line() -> None:
    bad_id = Task(id="a-b", image="i")
    line_of_bad_id = here(-1)
    two_faults = Task(
        id="two",
        image="",
        depends_on=["nothing"],
    )
    line_of_two_faults = here(-5)

    with pytest.raises(PipelineFaults) as refused:
        Pipeline(id="x", parallelism=-1, tasks=[bad_id, two_faults])
    line_of_pipeline = here(-1)

    text = str(refused.value)
    assert text.startswith("the pipeline has 5 faults:")
    assert text.count(line_of_pipeline) == 2
    assert text.count(line_of_bad_id) == 1
    assert text.count(line_of_two_faults) == 2


def test_a_circle_is_spelled_out() -> None:
    (fault,) = faults_of(
        Task(id="one", image="i", depends_on=["three"]),
        Task(id="two", image="i", depends_on=["one"]),
        Task(id="three", image="i", depends_on=["two"]),
    )

    assert "one -> three -> two -> one" in fault


def test_a_parent_that_was_forgotten_in_the_list_is_told() -> None:
    (fault,) = faults_of(Task(id="child", image="i", depends_on=[BUILD]))

    assert "'child' depends on 'build', which is no task of this pipeline" in fault


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": 5}, "its id is 5: write a text"),
        ({"image": None}, "its image is None: write a text"),
        ({"description": ["a"]}, "its description is of the type list"),
        ({"command": "echo hi"}, "its command is 'echo hi': write a list"),
        ({"entrypoint": 5}, "its entrypoint is 5: write a list"),
        ({"command": ["sleep", 5]}, "part 2 of its command is 5"),
        ({"variables": {"PORT": 80}}, "its variables: the value of 'PORT' is 80: write a text"),
        ({"variables": {1: "x"}}, "a key of its variables is 1"),
        ({"command": {"ls", "-l"}}, "its command is of the type set: write a list"),
        ({"command": b"ls"}, "its command is of the type bytes: write a list"),
        ({"entrypoint": {"ls": "-l"}}, "its entrypoint is of the type dict: write a list"),
        ({"variables": ["A=1"]}, "its variables is of the type list: write a mapping"),
        ({"inject_api_token": 1}, "its inject_api_token is 1: write True or False"),
        ({"registry_auth": ("me", "geheim")}, "its registry_auth is no RegistryAuth"),
        ({"registry_auth": RegistryAuth(user="me", password=b"geheim")}, "its registry password is of the type bytes"),  # type: ignore[arg-type]
        ({"depends_on": "other"}, "its depends_on is 'other': write a list"),
        ({"depends_on": BUILD}, "its depends_on is of the type Task: write a list"),
        ({"depends_on": [5]}, "part 1 of its depends_on is 5"),
        ({"depends_on": {"other": 2}}, "the value of 'other' is 2"),
        ({"depends_on": ["other", after("other", "any")]}, "depends on 'other' with both success and any"),
        ({"depends_on": [after("other", "failed")]}, "unknown status 'failed': use any, success or failure"),  # type: ignore[arg-type]
        ({"script": "x", "command": ["y"]}, "it has a script beside a command or an entrypoint"),
        ({"script": " "}, "its script is empty"),
        ({"script": "x", "interpreter": []}, "no interpreter"),
        ({"script": 5}, "its script is 5: write a text"),
        ({"timeout": 5}, "its timeout is 5: write a duration, such as '1h30m' or timedelta(minutes=90)"),
        ({"timeout": "soon"}, "its timeout: 'soon' is not a duration"),
    ],
)
def test_a_mistake_in_a_task_is_told_in_words(changes: dict[str, object], expected: str) -> None:
    task = replace(BUILD, **changes)  # type: ignore[arg-type]

    faults = faults_of(task, Task(id="other", image="i"))

    assert any(expected in fault for fault in faults)
    assert all("geheim" not in fault for fault in faults)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tasks": BUILD}, "the pipeline's tasks is of the type Task: write a list"),
        ({"tasks": ["build"]}, "part 1 of the pipeline's tasks is 'build'"),
        ({"tasks": {"build": BUILD}}, "the pipeline's tasks is of the type mappingproxy: write a list"),
        ({"parallelism": "2"}, "the pipeline's parallelism is '2': write a whole number"),
        ({"parallelism": True}, "the pipeline's parallelism is True"),
        ({"id": None}, "the pipeline's id is None"),
        ({"name": 5}, "the pipeline's name is 5"),
    ],
)
def test_a_mistake_in_a_pipeline_is_told_in_words(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(PipelineFaults, match=expected):
        Pipeline(**{"id": "nightly", "tasks": [BUILD], **changes})  # type: ignore[arg-type]


def test_the_faults_of_tasks_are_told_beside_those_of_their_pipeline() -> None:
    with pytest.raises(PipelineFaults) as told:
        Pipeline(id="nightly", parallelism="2", tasks=[replace(BUILD, command="ls"), "check"])  # type: ignore[arg-type, list-item]

    texts = [fault.text for fault in told.value.faults]
    assert len(texts) == 3
    assert any("the pipeline's parallelism is '2'" in text for text in texts)
    assert any("part 2 of the pipeline's tasks is 'check'" in text for text in texts)
    assert any("its command is 'ls'" in text for text in texts)


def test_nothing_of_a_pipeline_can_be_changed_afterwards() -> None:
    command = ["echo", "a"]
    variables = {"A": "1"}
    task = Task(id="build", image="i", command=command, variables=variables)
    pipeline = Pipeline(id="nightly", tasks=[task])

    command.append("b")
    variables["B"] = "2"

    assert pipeline.to_message().tasks[0].command == ["echo", "a"]
    assert pipeline.to_message().tasks[0].variables == {"A": "1"}
    with pytest.raises(FrozenInstanceError):
        task.image = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        task.variables["C"] = "3"  # type: ignore[index]


def test_a_task_can_be_derived_from_another() -> None:
    first = Task(id="build_a", image="i", script="make", variables={"A": "1"})

    second = replace(first, id="build_b")

    assert {first, second} == {second, first}
    assert second.script == "make"
    assert second.origin is not None
    assert second.origin.file == __file__


def test_secrets_do_not_show_in_a_repr() -> None:
    task = Task(id="abc", image="i", variables={"A": "geheim"}, registry_auth=RegistryAuth(user="u", password="geheim"))

    assert "geheim" not in repr(task)
    assert "geheim" not in repr(Pipeline(id="abc", tasks=[task]))


TEXTS = st.text(max_size=5)


@given(st.lists(st.builds(Task, id=TEXTS, image=TEXTS, depends_on=st.lists(TEXTS, max_size=3)), max_size=5))
def test_whatever_is_written_is_a_pipeline_or_a_list_of_faults(tasks: list[Task]) -> None:
    try:
        pipeline = Pipeline(id="nightly", tasks=tasks)
    except PipelineFaults as refused:
        assert refused.faults  # noqa: PT017 (either outcome is right)
    else:
        assert pipeline.to_message() == proto.UserPipelineConfig.parse(bytes(pipeline.to_message()))
