"""Rows to domain values and back; nobody else knows how a value is spelled in the database.

Whatever the schema lets stand in a row of a pipeline, of its versions, of a run, of a task run or of the journal can be
read: one that a fault of the disk, of another program or of another version has changed must not keep others from being
shown, nor from running.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from gofer.core.events import EVENT_CLASSES, FIELD_NAMES, Envelope, Event
from gofer.core.ids import DeploymentId, EventId, NamespaceId, PipelineId, RunId, RunKey, TaskId, Version
from gofer.core.pipeline import (
    ConfigState,
    Deployment,
    DeploymentState,
    Namespace,
    Pipeline,
    PipelineConfig,
    PipelineState,
    RegistryAuth,
    Requirement,
    Task,
)
from gofer.core.run import (
    Initiator,
    InitiatorType,
    Reason,
    ReasonCode,
    Run,
    RunState,
    StopRequest,
    TaskRun,
    TaskState,
)
from gofer.core.times import from_ms, maybe_to_ms, to_ms
from gofer.sqlite import Row
from gofer.storage.raw_event import RawEvent

Value = str | int | None
"""What a column of ours holds."""

_KEPT_TASKS: Final = 64
SHORT_CHARACTERS: Final = 64 * 1024  # of the tasks of one version; longer ones are read each time
_KEPT_RUNS: Final = 512  # 2 KB each, for 3 microseconds in the place of 16: what a few lists show
_KEPT_VARIABLES: Final = 2048  # characters of a run's variables; of longer ones less would be gained than held

_dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_REASON_CODES: Final = {code.value: code for code in ReasonCode}
_INITIATOR_TYPES: Final = {kind.value: kind for kind in InitiatorType}


def namespace_of(row: Row) -> Namespace:
    """Read a row of `namespaces`."""
    return Namespace(
        id=NamespaceId(row["id"]),
        name=row["name"],
        description=row["description"],
        created_at=_time(row["created_at"]),
        modified_at=_time(row["modified_at"]),
        deleting_at=_maybe_time(row["deleting_at"]),
    )


def pipeline_of(row: Row) -> Pipeline:
    """Read a row of `pipelines`."""
    return Pipeline(
        namespace=NamespaceId(row["namespace"]),
        id=PipelineId(row["id"]),
        state=PipelineState(row["state"]),
        created_at=_time(row["created_at"]),
        modified_at=_time(row["modified_at"]),
        deleting_at=_maybe_time(row["deleting_at"]),
    )


def config_of(row: Row) -> PipelineConfig:
    """Read a row of `pipeline_configs`. What can't be read of it is told by its `damage`, and is empty."""
    tasks = tasks_of(row)
    return PipelineConfig(
        namespace=NamespaceId(row["namespace"]),
        pipeline=PipelineId(row["pipeline"]),
        version=Version(row["version"]),
        name=row["name"],
        description=row["description"],
        parallelism=row["parallelism"],
        tasks=tasks or (),
        state=ConfigState(row["state"]),
        registered_at=_time(row["registered_at"]),
        deprecated_at=_maybe_time(row["deprecated_at"]),
        run_timeout=duration_of(row["run_timeout_ms"]),
        damage="its tasks are not stored as they were given" if tasks is None else "",
    )


def tasks_of(row: Row) -> tuple[Task, ...] | None:
    """Read the tasks of a row of `pipeline_configs`; None where they can't be read."""
    try:
        return tasks_from_json(row["tasks"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return None


def tasks_to_json(tasks: tuple[Task, ...]) -> str:
    """Write a config's tasks as one JSON array, in their order."""
    return _dump([_task_to_json(task) for task in tasks])


def _task_to_json(task: Task) -> dict[str, object]:
    auth = task.registry_auth
    return {
        "id": task.id,
        "description": task.description,
        "image": task.image,
        "registry_auth": auth
        and {"user": auth.user, "sealed_password": base64.b64encode(auth.sealed_password).decode()},
        "depends_on": dict(task.depends_on),
        "variables": dict(task.variables),
        "entrypoint": task.entrypoint,
        "command": task.command,
        "inject_api_token": task.inject_api_token,
        "timeout_ms": duration_to_row(task.timeout),
    }


def tasks_from_json(text: str) -> tuple[Task, ...]:
    """Read what `tasks_to_json` wrote. The same short text gives the same value, which nobody may change."""
    return _kept_tasks(text) if len(text) <= SHORT_CHARACTERS else _tasks(text)


def _tasks(text: str) -> tuple[Task, ...]:
    return tuple(
        Task(
            id=TaskId(_text(task["id"])),
            description=_text(task["description"]),
            image=_text(task["image"]),
            registry_auth=task["registry_auth"]
            and RegistryAuth(
                user=_text(task["registry_auth"]["user"]),
                sealed_password=base64.b64decode(task["registry_auth"]["sealed_password"]),
            ),
            depends_on={TaskId(parent): Requirement(word) for parent, word in task["depends_on"].items()},
            variables={key: _text(value) for key, value in task["variables"].items()},
            entrypoint=tuple(map(_text, task["entrypoint"])),
            command=tuple(map(_text, task["command"])),
            inject_api_token=bool(task["inject_api_token"]),
            timeout=duration_of(task.get("timeout_ms")),
        )
        for task in json.loads(text)
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


# A version is read by every call about its pipeline or its runs, and never changes.
_kept_tasks: Final = lru_cache(maxsize=_KEPT_TASKS)(_tasks)


def deployment_of(row: Row) -> Deployment:
    """Read a row of `deployments`."""
    return Deployment(
        namespace=NamespaceId(row["namespace"]),
        pipeline=PipelineId(row["pipeline"]),
        id=DeploymentId(row["id"]),
        start_version=Version(row["start_version"]),
        end_version=Version(row["end_version"]),
        state=DeploymentState(row["state"]),
        reason=row["reason"],
        started_at=_time(row["started_at"]),
        ended_at=_maybe_time(row["ended_at"]),
    )


def run_key_of(row: Row) -> RunKey:
    """Read the key columns of a row of `runs`."""
    return RunKey(namespace=NamespaceId(row["namespace"]), pipeline=PipelineId(row["pipeline"]), run=RunId(row["id"]))


def run_of(row: Row) -> Run:
    """Read a row of `runs`. The same row, if it is short, gives the same value, which nobody may change.

    What can't be read of it is told by the run's `damage`, and is empty.
    """
    return _kept_run(row) if len(row["variables"]) <= _KEPT_VARIABLES else _run(row)


def _run(row: Row) -> Run:
    variables = _texts(row["variables"])
    return Run(
        namespace=NamespaceId(row["namespace"]),
        pipeline=PipelineId(row["pipeline"]),
        id=RunId(row["id"]),
        version=Version(row["version"]),
        state=RunState(row["state"]),
        reason=_reason_of(row),
        initiator=Initiator(
            type=_initiator_type(row["initiator_type"]), name=row["initiator_name"], reason=row["initiator_reason"]
        ),
        variables=variables or {},
        request_id=row["request_id"],
        timeout=duration_of(row["timeout_ms"]),
        created_at=_time(row["created_at"]),
        admitted_at=_maybe_time(row["admitted_at"]),
        ended_at=_maybe_time(row["ended_at"]),
        stop_request=_stop_request_of(row),
        objects_expired=bool(row["objects_expired"]),
        revision=row["revision"],
        engine=row["engine"],
        damage="its variables are not stored as they were given" if variables is None else "",
    )


# Rows are equal where all that stands in them is. Lists read the same runs over and over.
_kept_run: Final = lru_cache(maxsize=_KEPT_RUNS)(_run)


def run_state_to_row(run: Run) -> dict[str, Value]:
    """Give the columns of a run that change during its life, `revision` as it is."""
    return {
        "namespace": run.namespace,
        "pipeline": run.pipeline,
        "id": run.id,
        "state": run.state.value,
        "admitted_at": maybe_to_ms(run.admitted_at),
        "ended_at": maybe_to_ms(run.ended_at),
        "objects_expired": int(run.objects_expired),
        "engine": run.engine,
        "revision": run.revision,
        **_reason_to_row(run.reason),
        **stop_request_to_row(run.stop_request),
    }


def run_to_row(run: Run) -> dict[str, Value]:
    """Give all columns of a run."""
    return {
        **run_state_to_row(run),
        "version": run.version,
        "initiator_type": run.initiator.type.value,
        "initiator_name": run.initiator.name,
        "initiator_reason": run.initiator.reason,
        "variables": _dump(dict(run.variables)),
        "request_id": run.request_id,
        "timeout_ms": duration_to_row(run.timeout),
        "created_at": to_ms(run.created_at),
    }


def task_run_of(row: Row) -> TaskRun:
    """Read a row of `task_runs`."""
    return TaskRun(
        namespace=NamespaceId(row["namespace"]),
        pipeline=PipelineId(row["pipeline"]),
        run=RunId(row["run"]),
        id=TaskId(row["id"]),
        state=TaskState(row["state"]),
        reason=_reason_of(row),
        attempt=row["attempt"],
        engine=row["engine"],
        exit_code=row["exit_code"],
        created_at=_time(row["created_at"]),
        started_at=_maybe_time(row["started_at"]),
        ended_at=_maybe_time(row["ended_at"]),
        stop_request=_stop_request_of(row),
        logs_expired=bool(row["logs_expired"]),
        logs_removed=bool(row["logs_removed"]),
        silent=bool(row["silent"]),
    )


def task_run_to_row(task_run: TaskRun) -> dict[str, Value]:
    """Give all columns of a task run."""
    return {
        "namespace": task_run.namespace,
        "pipeline": task_run.pipeline,
        "run": task_run.run,
        "id": task_run.id,
        "state": task_run.state.value,
        "attempt": task_run.attempt,
        "engine": task_run.engine,
        "exit_code": task_run.exit_code,
        "created_at": to_ms(task_run.created_at),
        "started_at": maybe_to_ms(task_run.started_at),
        "ended_at": maybe_to_ms(task_run.ended_at),
        "logs_expired": int(task_run.logs_expired),
        "logs_removed": int(task_run.logs_removed),
        "silent": int(task_run.silent),
        **_reason_to_row(task_run.reason),
        **stop_request_to_row(task_run.stop_request),
    }


def _reason_of(row: Row) -> Reason | None:
    word = row["reason_code"]
    if word is None:
        return None
    code, description = _REASON_CODES.get(word), row["reason_description"]
    if code is None:
        code, description = ReasonCode.INTERNAL_ERROR, f"{description} (stored with the unknown code {word!r})".strip()
    return Reason(code=code, description=description)


def _initiator_type(word: str) -> InitiatorType:
    return _INITIATOR_TYPES.get(word, InitiatorType.UNKNOWN)


def _texts(text: str) -> Mapping[str, str] | None:
    """Read a JSON object of texts; None for what is none."""
    found = _object(text)
    return found if found is not None and all(isinstance(value, str) for value in found.values()) else None


def _object(text: str) -> dict[str, str] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time(value: int) -> datetime:
    """Give the time, and the nearest one that there is for one that there is not."""
    try:
        return from_ms(value)
    except OverflowError:
        return _LAST if value > 0 else _FIRST


def _maybe_time(value: int | None) -> datetime | None:
    return None if value is None else _time(value)


def duration_of(value: int | None) -> timedelta | None:
    """Read a column of milliseconds."""
    return None if value is None else timedelta(milliseconds=value)


def duration_to_row(duration: timedelta | None) -> int | None:
    """Give a duration as whole milliseconds."""
    return None if duration is None else duration // timedelta(milliseconds=1)


def _reason_to_row(reason: Reason | None) -> dict[str, Value]:
    if reason is None:
        return {"reason_code": None, "reason_description": ""}
    return {"reason_code": reason.code.value, "reason_description": reason.description}


def _stop_request_of(row: Row) -> StopRequest | None:
    at = row["stop_at"]
    return None if at is None else StopRequest(at=_time(at), force=bool(row["stop_force"]))


def stop_request_to_row(request: StopRequest | None) -> dict[str, Value]:
    """Give the columns of a stop request, for runs and task runs alike."""
    if request is None:
        return {"stop_at": None, "stop_force": 0}
    return {"stop_at": to_ms(request.at), "stop_force": int(request.force)}


def event_to_row(event: Event) -> tuple[str, Value, Value, Value, str]:
    """Give an event's kind, namespace, pipeline and run (None where it has none), and its details as JSON."""
    details = event.details()
    return (
        event.kind,
        details.get("namespace_id"),
        details.get("pipeline_id"),
        details.get("run_id"),
        _dump(details),
    )


def envelope_of(row: Row) -> Envelope:
    """Read a row of `journal`; an event that this version does not know, or can't read, becomes a `RawEvent`."""
    details = _object(row["details"]) or {}
    found = EVENT_CLASSES.get(row["kind"])
    event = (
        found(**details)
        if found and details.keys() == FIELD_NAMES[row["kind"]]
        else RawEvent(kind=row["kind"], recorded=details)
    )
    return Envelope(id=EventId(row["id"]), at=_time(row["at"]), event=event)
