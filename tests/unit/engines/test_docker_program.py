"""Which program a container runs."""

import pytest

from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.protocols import ContainerSpec, ImageSpec
from gofer.engines.scheduler.docker_program import program_of

KEY = TaskRunKey(namespace=NamespaceId("team"), pipeline=PipelineId("build"), run=RunId(7), task=TaskId("compile"))


def spec(
    *, entrypoint: tuple[str, ...] = (), command: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> ContainerSpec:
    return ContainerSpec(
        attempt=AttemptId(key=KEY, number=1, instance=InstanceId("abc")),
        name="a",
        image=ImageSpec(name="app"),
        entrypoint=entrypoint,
        command=command,
        environment=environment or {},
    )


def image(**config: object) -> dict[str, object]:
    return {"Id": "sha256:1", "Config": {"Env": ["PATH=/usr/bin:/bin"], **config}}


@pytest.mark.parametrize(
    ("entrypoint", "command", "config", "places"),
    [
        (("sh",), ("-c",), {}, ("/usr/bin/sh", "/bin/sh")),
        ((), ("sh", "-c"), {}, ("/usr/bin/sh", "/bin/sh")),
        ((), ("x",), {"Entrypoint": ["/entry", "y"]}, ("/entry",)),
        (("/own",), (), {"Entrypoint": ["/entry"], "Cmd": ["z"]}, ("/own",)),
        ((), (), {"Entrypoint": None, "Cmd": ["/cmd"]}, ("/cmd",)),
        (("./run",), (), {"WorkingDir": "/app"}, ("/app/run",)),
        (("../run",), (), {"WorkingDir": "/app"}, ("/run",)),
        (("sh",), (), {"Env": []}, tuple(f"{place}/sh" for place in
            ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))),
        (("sh",), (), {"Env": ["PATH=bin:"], "WorkingDir": "/app"}, ("/app/bin/sh", "/app/sh")),
        ((), (), {}, ()),
    ],
)  # fmt: skip
def test_a_program_is_looked_for_where_the_container_would(
    entrypoint: tuple[str, ...], command: tuple[str, ...], config: dict[str, object], places: tuple[str, ...]
) -> None:
    assert program_of(spec(entrypoint=entrypoint, command=command), image(**config)).places == places


def test_the_tasks_own_path_counts() -> None:
    assert program_of(spec(entrypoint=("sh",), environment={"PATH": "/opt"}), image()).places == ("/opt/sh",)


@pytest.mark.parametrize(
    ("name", "is_init"), [("/init", True), ("/sbin/init", True), ("tini", True), ("sh", False), ("/app/initdb", False)]
)
def test_an_init_is_told_by_its_name(name: str, *, is_init: bool) -> None:
    assert program_of(spec(entrypoint=(name,)), image()).is_init is is_init
