"""Namespaces, pipelines, their configs (versions), tasks (definitions) and deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gofer.core.ids import DeploymentId, NamespaceId, PipelineId, PipelineKey, TaskId, Version


class PipelineState(StrEnum):
    """Whether runs of a pipeline may start."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class ConfigState(StrEnum):
    """Where a version stands: registered only, the one that new runs use, or replaced."""

    UNRELEASED = "UNRELEASED"
    LIVE = "LIVE"
    DEPRECATED = "DEPRECATED"


class DeploymentState(StrEnum):
    """A deployment's life; a failed one keeps its reason."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Requirement(StrEnum):
    """What a task asks of a parent's outcome."""

    ANY = "ANY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A room for pipelines. With `deleting_at` it is being deleted, and takes no new work."""

    id: NamespaceId
    name: str
    description: str
    created_at: datetime
    modified_at: datetime
    deleting_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """What opens a private image registry; the password is sealed (encrypted) wherever it is kept."""

    user: str
    sealed_password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The definition of one container of a pipeline. Empty `command` or `entrypoint` mean the image's own.

    `timeout` is how long its container may run; None = as long as it likes.
    """

    id: TaskId
    description: str = ""
    image: str
    registry_auth: RegistryAuth | None = None
    depends_on: Mapping[TaskId, Requirement] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    inject_api_token: bool = False
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What all versions of a pipeline share. With `deleting_at` it is being deleted, and takes no new work."""

    namespace: NamespaceId
    id: PipelineId
    state: PipelineState
    created_at: datetime
    modified_at: datetime
    deleting_at: datetime | None = None

    @property
    def key(self) -> PipelineKey:
        """The pipeline's full name."""
        return PipelineKey(namespace=self.namespace, pipeline=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """One registered version of a pipeline. `parallelism` 0 means that the pipeline sets no limit.

    `run_timeout` is how long a run of it may take from its admission, where the run is given no other; None = no limit.
    `damage` says in words what of the stored version can't be read: such a one can be shown and deleted, no more.
    """

    namespace: NamespaceId
    pipeline: PipelineId
    version: Version
    name: str
    description: str
    parallelism: int
    tasks: tuple[Task, ...]
    state: ConfigState
    registered_at: datetime
    deprecated_at: datetime | None
    run_timeout: timedelta | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveVersion:
    """What a new run takes from its version; `tasks` is None where reading them takes long, or can't be done."""

    version: Version
    parallelism: int
    run_timeout: timedelta | None
    tasks: tuple[Task, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The record of one switch of the live version from `start_version` to `end_version`.

    The two are the same where no version was live before, and where the live one was deployed again.
    """

    namespace: NamespaceId
    pipeline: PipelineId
    id: DeploymentId
    start_version: Version
    end_version: Version
    state: DeploymentState
    reason: str
    started_at: datetime
    ended_at: datetime | None
