"""Between our values and Docker's JSON."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.config.settings import DockerSettings
from gofer.core.errors import InvalidInput
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.protocols import ContainerSpec, ContainerState, ContainerStatus, ImageSpec
from gofer.engines.scheduler.docker_convert import (
    attempt_of,
    container_names,
    create_body,
    has_init_program,
    is_going_away,
    label_filter,
    labels_of,
    object_of,
    status_of,
    stop_signal_of,
    time_of,
)

KEY = TaskRunKey(namespace=NamespaceId("team"), pipeline=PipelineId("build"), run=RunId(7), task=TaskId("compile"))
ATTEMPT = AttemptId(key=KEY, number=2, instance=InstanceId("abc123"))
SPEC = ContainerSpec(attempt=ATTEMPT, name="team_build_7_compile", image=ImageSpec(name="alpine:3"))
WORDS = st.text(alphabet="abcXYZ019_", min_size=1, max_size=32)


def host_config(settings: DockerSettings) -> dict[str, object]:
    return dict(object_of(create_body(SPEC, settings, init=False), "HostConfig"))


def test_a_plain_task_gets_its_image_and_nothing_of_ours_but_labels() -> None:
    body = create_body(SPEC, DockerSettings(), init=True)

    assert body["Image"] == "alpine:3"
    assert body["Env"] == []
    assert "Cmd" not in body
    assert "Entrypoint" not in body
    assert "User" not in body
    assert body["Labels"] == {
        "gofer.namespace": "team",
        "gofer.pipeline": "build",
        "gofer.run": "7",
        "gofer.task": "compile",
        "gofer.attempt": "2",
        "gofer.instance": "abc123",
    }


def test_command_entrypoint_environment_and_labels_are_passed_on() -> None:
    spec = replace(
        SPEC,
        command=("-c", "true"),
        entrypoint=("sh",),
        environment={"KEY": "a=b\n", "key": ""},
        labels={"team": "x", "gofer.task": "a lie"},
    )

    body = create_body(spec, DockerSettings(), init=True)

    assert body["Cmd"] == ["-c", "true"]
    assert body["Entrypoint"] == ["sh"]
    assert body["Env"] == ["KEY=a=b\n", "key="]
    assert object_of(body, "Labels")["team"] == "x"
    assert object_of(body, "Labels")["gofer.task"] == "compile"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("", "x", "named ''"), ("A=B", "x", "'A=B'"), ("A\0", "x", "NUL"), ("SECRET", "top\0secret", "variable SECRET")],
)
def test_variables_that_no_process_can_have_are_refused_without_their_value(key: str, value: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        create_body(replace(SPEC, environment={key: value}), DockerSettings(), init=True)

    assert "top" not in refused.value.message


def test_the_defaults_are_safe_and_lose_no_output() -> None:
    host = host_config(DockerSettings())

    assert host == {
        "NetworkMode": "bridge",
        "Privileged": False,
        "PidsLimit": 4096,
        "RestartPolicy": {"Name": "no"},
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {
            "Type": "local",
            "Config": {"max-size": "1000000g", "max-file": "1", "compress": "false", "mode": "blocking"},
        },
    }


def test_new_privileges_may_be_allowed() -> None:
    assert "SecurityOpt" not in host_config(DockerSettings(no_new_privileges=False))


def test_settings_hold_for_all_containers() -> None:
    settings = DockerSettings(
        network="own",
        extra_hosts=("registry:10.0.0.1",),
        dns=("10.0.0.2",),
        memory_limit_bytes=64_000_000,
        cpu_limit=1.5,
        pids_limit=0,
        runtime="runsc",
        user="1000:1000",
    )

    host = host_config(settings)

    assert host["NetworkMode"] == "own"
    assert host["ExtraHosts"] == ["registry:10.0.0.1"]
    assert host["Dns"] == ["10.0.0.2"]
    assert (host["Memory"], host["MemorySwap"]) == (64_000_000, 64_000_000)
    assert host["NanoCpus"] == 1_500_000_000
    assert host["Runtime"] == "runsc"
    assert "PidsLimit" not in host
    assert create_body(SPEC, settings, init=False)["User"] == "1000:1000"


@pytest.mark.parametrize("init", [True, False])
def test_an_init_is_asked_for_only_where_there_is_one(*, init: bool) -> None:
    assert object_of(create_body(SPEC, DockerSettings(), init=init), "HostConfig").get("Init", False) is init


def test_the_first_name_is_the_plain_one_and_the_others_are_always_the_same() -> None:
    names = list(container_names(SPEC))

    assert names[0] == "team_build_7_compile"
    assert len(set(names)) == len(names) == 8
    assert all(name.startswith("team_build_7_compile-") and len(name.rpartition("-")[2]) == 6 for name in names[1:])
    assert names == list(container_names(SPEC))
    assert names[1] != list(container_names(replace(SPEC, attempt=replace(ATTEMPT, number=3))))[1]


def test_a_name_that_docker_refuses_gets_a_letter_before_it() -> None:
    assert next(container_names(replace(SPEC, name="_private_build_7_compile"))) == "g_private_build_7_compile"


@given(namespace=WORDS, pipeline=WORDS, task=WORDS, instance=WORDS, run=st.integers(1), number=st.integers(1))
def test_an_attempt_comes_back_from_its_labels(
    namespace: str, pipeline: str, task: str, instance: str, run: int, number: int
) -> None:
    key = TaskRunKey(namespace=NamespaceId(namespace), pipeline=PipelineId(pipeline), run=RunId(run), task=TaskId(task))
    attempt = AttemptId(key=key, number=number, instance=InstanceId(instance))

    assert attempt_of(labels_of(attempt)) == attempt


@pytest.mark.parametrize("missing", labels_of(ATTEMPT))
def test_labels_that_are_not_all_there_name_no_attempt(missing: str) -> None:
    assert attempt_of({key: value for key, value in labels_of(ATTEMPT).items() if key != missing}) is None


@pytest.mark.parametrize("label", ["gofer.run", "gofer.attempt"])
def test_a_number_that_is_none_names_no_attempt(label: str) -> None:
    assert attempt_of({**labels_of(ATTEMPT), label: "seven"}) is None


def test_a_filter_asks_for_all_labels() -> None:
    assert label_filter({"a": "b", "c": "d e"}) == '{"label": ["a=b", "c=d e"]}'


@pytest.mark.parametrize("state", ["running", "paused", "restarting"])
def test_what_may_go_on_counts_as_running(state: str) -> None:
    inspected = {"State": {"Status": state, "ExitCode": 0, "StartedAt": "2026-11-22T06:04:55.991680610Z"}}

    assert status_of(inspected) == ContainerStatus(
        state=ContainerState.RUNNING, started_at=datetime(2026, 11, 22, 6, 4, 55, 991680, UTC)
    )


def test_a_container_whose_start_was_refused_is_still_a_created_one() -> None:
    state = {"Status": "created", "ExitCode": 127, "StartedAt": "0001-01-01T00:00:00Z"}

    assert status_of({"State": state}) == ContainerStatus(state=ContainerState.CREATED)


def test_an_ended_container_tells_its_code_and_times() -> None:
    state = {
        "Status": "exited",
        "ExitCode": 143,
        "StartedAt": "2026-11-22T06:04:55.5Z",
        "FinishedAt": "2026-11-22T08:04:56+02:00",
    }

    assert status_of({"State": state}) == ContainerStatus(
        state=ContainerState.EXITED,
        exit_code=143,
        started_at=datetime(2026, 11, 22, 6, 4, 55, 500000, UTC),
        ended_at=datetime(2026, 11, 22, 6, 4, 56, tzinfo=UTC),
    )


def test_no_container_ends_before_it_starts() -> None:
    """Docker notes the start of a very short container some milliseconds after its end."""
    state = {
        "Status": "exited",
        "ExitCode": 0,
        "StartedAt": "2026-11-22T07:14:17.517059Z",
        "FinishedAt": "2026-11-22T07:14:17.511062Z",
    }

    status = status_of({"State": state})

    assert status.started_at == status.ended_at == datetime(2026, 11, 22, 7, 14, 17, 511062, UTC)


@pytest.mark.parametrize(("state", "going"), [("removing", True), ("dead", True), ("exited", False), ("", False)])
def test_what_is_being_removed_is_going_away(state: str, *, going: bool) -> None:
    assert is_going_away({"State": {"Status": state}}) is going


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00Z", "2026-11-22"])
def test_no_time_is_no_time(text: str) -> None:
    assert time_of(text) is None


def test_the_image_may_name_its_stop_signal() -> None:
    assert stop_signal_of({"Config": {"StopSignal": "SIGQUIT"}}) == "SIGQUIT"
    assert stop_signal_of({"Config": {}}) == "SIGTERM"


@pytest.mark.parametrize(
    ("components", "has"),
    [
        ([{"Name": "docker-init", "Version": "0.19.0"}], True),
        ([{"Name": "docker-init", "Version": "N/A"}], False),
        ([{"Name": "Engine", "Version": "1"}], False),
        (None, False),
    ],
)
def test_a_daemon_tells_whether_it_has_an_init(components: object, *, has: bool) -> None:
    assert has_init_program({"Components": components}) is has
