"""Between our values and Docker's JSON. Pure.

What a container is made with, and why:

* Labels say whose it is. Gofer stops and removes only what carries them.
* The `local` log driver keeps bytes as they are; `json-file` replaces invalid UTF-8. It is never rotated, and a
  container that writes faster than the disk takes it is held back, so that nothing is lost between a crash of Gofer and
  its return.
* Docker's own small init is the first process, so that SIGTERM ends a program that sets no handler for it, and so that
  orphaned children are reaped. Where the daemon has none, the task's program is the first process.
* Never privileged, never restarted, and unless the settings say otherwise no new privileges and a limit of processes.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from gofer.config.settings import DockerSettings
from gofer.core.errors import InvalidInput
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.protocols import ContainerSpec, ContainerState, ContainerStatus

Json: TypeAlias = Mapping[str, object]

INSTANCE_LABEL: Final = "gofer.instance"
_NAMESPACE_LABEL: Final = "gofer.namespace"
_PIPELINE_LABEL: Final = "gofer.pipeline"
_RUN_LABEL: Final = "gofer.run"
_TASK_LABEL: Final = "gofer.task"
_ATTEMPT_LABEL: Final = "gofer.attempt"

_LOG_CONFIG: Final[Json] = {
    "Type": "local",
    # One file that never reaches its limit: a rotated file would be deleted, output and all.
    "Config": {"max-size": "1000000g", "max-file": "1", "compress": "false", "mode": "blocking"},
}
_NAMES_TO_TRY: Final = 8
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)  # Go's zero time


def create_body(spec: ContainerSpec, settings: DockerSettings, *, init: bool) -> Json:
    """Give the body of the request that makes the container; `init`: the daemon has an init to put before it.

    Raises `InvalidInput` for what Docker would silently change.
    """
    body: dict[str, object] = {
        "Image": spec.image.name,
        "Env": [_environment_entry(key, value) for key, value in spec.environment.items()],
        "Labels": {**spec.labels, **labels_of(spec.attempt)},
        "HostConfig": _host_config(settings, init=init),
    }
    if spec.command:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if settings.user:
        body["User"] = settings.user
    return body


def _environment_entry(key: str, value: str) -> str:
    if not key or "=" in key or "\0" in key:
        raise InvalidInput(f"a variable can't be named {key!r}: a name is not empty and has no '=' and no NUL", key=key)
    if "\0" in value:
        raise InvalidInput(
            f"the value of the variable {key} holds a NUL character, which no process can be given", key=key
        )
    return f"{key}={value}"


def _host_config(settings: DockerSettings, *, init: bool) -> Json:
    host: dict[str, object] = {
        "NetworkMode": settings.network,
        "LogConfig": _LOG_CONFIG,
        "RestartPolicy": {"Name": "no"},
        "Privileged": False,
    }
    if settings.no_new_privileges:
        host["SecurityOpt"] = ["no-new-privileges"]
    if init:
        host["Init"] = True
    if settings.extra_hosts:
        host["ExtraHosts"] = list(settings.extra_hosts)
    if settings.dns:
        host["Dns"] = list(settings.dns)
    if settings.memory_limit_bytes:
        # Without the second line Docker allows as much swap again.
        host["Memory"] = settings.memory_limit_bytes
        host["MemorySwap"] = settings.memory_limit_bytes
    if settings.cpu_limit:
        host["NanoCpus"] = round(settings.cpu_limit * 1_000_000_000)
    if settings.pids_limit:
        host["PidsLimit"] = settings.pids_limit
    if settings.runtime:
        host["Runtime"] = settings.runtime
    return host


# ------------------------------------------------------------ names and labels


def container_names(spec: ContainerSpec) -> Iterator[str]:
    """Give the container's name, then names to try in turn where others hold the ones before; always the same ones."""
    name = f"g{spec.name}" if spec.name.startswith("_") else spec.name
    yield name
    for number in range(1, _NAMES_TO_TRY):
        digest = hashlib.sha256(f"{spec.attempt} {number}".encode()).hexdigest()
        yield f"{name}-{digest[:6]}"


def labels_of(attempt: AttemptId) -> Mapping[str, str]:
    """Give the labels that an attempt's container is found by."""
    return {
        _NAMESPACE_LABEL: attempt.key.namespace,
        _PIPELINE_LABEL: attempt.key.pipeline,
        _RUN_LABEL: str(attempt.key.run),
        _TASK_LABEL: attempt.key.task,
        _ATTEMPT_LABEL: str(attempt.number),
        INSTANCE_LABEL: attempt.instance,
    }


def attempt_of(labels: Json) -> AttemptId | None:
    """Read the attempt back from a container's labels; None where they are not all ours."""
    namespace, pipeline, run = (text_of(labels, key) for key in (_NAMESPACE_LABEL, _PIPELINE_LABEL, _RUN_LABEL))
    task, number, instance = (text_of(labels, key) for key in (_TASK_LABEL, _ATTEMPT_LABEL, INSTANCE_LABEL))
    if not (namespace and pipeline and task and instance and run.isdecimal() and number.isdecimal()):
        return None
    key = TaskRunKey(
        namespace=NamespaceId(namespace), pipeline=PipelineId(pipeline), run=RunId(int(run)), task=TaskId(task)
    )
    return AttemptId(key=key, number=int(number), instance=InstanceId(instance))


def label_filter(labels: Mapping[str, str]) -> str:
    """Give the `filters` parameter that asks for containers with all of these labels."""
    return json.dumps({"label": [f"{key}={value}" for key, value in labels.items()]})


# ------------------------------------------------------------ what Docker says of a container


def status_of(inspected: Json) -> ContainerStatus:
    """Read a container's state from what `inspect` gave. Paused and restarting count as running."""
    state = object_of(inspected, "State")
    match text_of(state, "Status"):
        case "created":
            return ContainerStatus(state=ContainerState.CREATED)
        case "exited":
            started_at, ended_at = time_of(text_of(state, "StartedAt")), time_of(text_of(state, "FinishedAt"))
            if started_at is not None and ended_at is not None:
                started_at = min(
                    started_at, ended_at
                )  # the daemon hears of a start later than its containerd of the end
            return ContainerStatus(
                state=ContainerState.EXITED,
                exit_code=int_of(state, "ExitCode"),
                started_at=started_at,
                ended_at=ended_at,
            )
        case _:
            return ContainerStatus(state=ContainerState.RUNNING, started_at=time_of(text_of(state, "StartedAt")))


def is_going_away(inspected: Json) -> bool:
    """Tell whether the container is being removed, or all but is: there is nothing left to do with it."""
    return text_of(object_of(inspected, "State"), "Status") in {"removing", "dead"}


def labels_inspected(inspected: Json) -> Json:
    """Give the labels that `inspect` gave."""
    return object_of(object_of(inspected, "Config"), "Labels")


def stop_signal_of(inspected: Json) -> str:
    """Give the signal that asks this container to end: its image's, else SIGTERM."""
    return text_of(object_of(inspected, "Config"), "StopSignal") or "SIGTERM"


def has_init_program(version: Json) -> bool:
    """Tell from the daemon's version whether it has an init to put before a container's program."""
    components = version.get("Components")
    found = [each for each in components if isinstance(each, dict)] if isinstance(components, list) else []
    return any(text_of(each, "Name") == "docker-init" and text_of(each, "Version") not in {"", "N/A"} for each in found)


def time_of(text: str) -> datetime | None:
    """Read Docker's time, to the microsecond; None for its zero time and for what is no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    at = datetime.fromisoformat(f"{seconds}.{micros}{zone.replace('Z', '+00:00')}").astimezone(UTC)
    return None if at == _NEVER else at


# ------------------------------------------------------------ reading JSON that others wrote


def object_of(value: Json, key: str) -> Json:
    """Give the object under that key; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def text_of(value: Json, key: str) -> str:
    """Give the text under that key; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def texts_of(value: Json, key: str) -> tuple[str, ...]:
    """Give the list of texts under that key; an empty one where there is none."""
    found = value.get(key)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def int_of(value: Json, key: str) -> int:
    """Give the whole number under that key; 0 where there is none."""
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
