"""The contract page: what Gofer asks of an engine.

An engine is made by a factory that is declared as an entry point of the group of its kind (`gofer.scheduler_engines`,
`gofer.object_store_engines`, `gofer.secret_store_engines`) and called once at start with that engine's settings block.
It is entered as an async context manager before any other call and left after the last. What follows is about scheduler
engines, whose methods may all be called concurrently for different handles; of the stores, their classes below say what
holds.

Order of calls of one attempt: `find`, `ensure_image`, `create`, `logs` (opened before `start`), `start`, `wait`, the
rest of the logs, `remove`. After a restart of Gofer: `find`, then `logs` from a cursor, `wait`, `remove`. `stop` may
come at any time.

Errors: `NotFound` = the engine answers and does not know it; `FailedPrecondition`, `InvalidInput` = the engine
refuses, trying again is useless; `EngineUnavailable` = it can't be reached or its reply was lost, nothing is known, try
again later. Cancelling an await of any method ends only the wait, unless it says otherwise: what was asked may or may
not have been done, and calling `find` tells.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import NewType, Protocol, Self

from gofer.core.ids import AttemptId, BlobKey, InstanceId
from gofer.core.output import LogChunk, LogCursor

ContainerHandle = NewType("ContainerHandle", str)
"""Opaque reference to a container, given by an engine; survives restarts of Gofer and of the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What varies between engines."""

    isolates: bool  # tasks can't see the host
    pulls_images: bool  # images mean something
    tells_streams: bool  # stdout and stderr chunks are told apart
    survives_restart: bool  # containers outlive this process


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """Opened credentials of an image registry; never shown."""

    user: str
    password: str = field(repr=False)


class PullPolicy(StrEnum):
    """When to ask the registry: only for an image that is not there, always, or never."""

    IF_MISSING = "if_missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """An image reference and how to get it."""

    name: str
    credentials: RegistryCredentials | None = None
    policy: PullPolicy = PullPolicy.IF_MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is. `total_bytes` is 0 where it is not known."""

    image: str
    current_bytes: int
    total_bytes: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What to make. `name` is what operators look for; the attempt is what identifies it.

    `is_new` promises that no engine was ever asked for this attempt before, so that nothing need be looked for. Empty
    `command` or `entrypoint` mean the image's own. `environment` values may be secret: they are never logged.
    """

    attempt: AttemptId
    name: str
    image: ImageSpec
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False


class ContainerState(StrEnum):
    """What an engine knows of a container. PAUSED counts as running for everybody else."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """A container's state, exit code and times by the engine's own clock."""

    state: ContainerState
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A container of an attempt, and its state at the time of asking."""

    handle: ContainerHandle
    status: ContainerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A container that carries our labels."""

    handle: ContainerHandle
    attempt: AttemptId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitResult:
    """How a container ended: 128 + N for a death by signal N. Times are the engine's where it knows them."""

    exit_code: int
    started_at: datetime | None = None
    ended_at: datetime | None = None


class SchedulerEngine(Protocol):
    """Runs containers."""

    name: str
    capabilities: Capabilities

    async def __aenter__(self) -> Self:
        """Connect. Raise `EngineUnavailable` where that fails."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of connections; containers go on running where the engine can."""
        ...

    async def find(self, attempt: AttemptId) -> Found | None:
        """Find the attempt's container by its label. Safe to repeat. None only where the engine answers "unknown"."""
        ...

    async def ensure_image(self, image: ImageSpec, *, progress: Callable[[PullProgress], None]) -> None:
        """Have the image ready, pulled where its policy says so; callers of one image at a time share one pull.

        Safe to repeat. Raises `NotFound` (no such image), `FailedPrecondition` (credentials refused), in words. A
        cancelled caller ends only its own wait while others wait. An engine without images does nothing.
        """
        ...

    async def create(self, spec: ContainerSpec) -> ContainerHandle:
        """Make the container, not started. Idempotent by the attempt: a second call gives the same handle.

        A name that another's container holds is changed by a suffix. Raises `FailedPrecondition` or `InvalidInput`
        where the engine refuses the spec, and leaves nothing behind then.
        """
        ...

    def logs(
        self, handle: ContainerHandle, *, since: LogCursor | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LogChunk]]:
        """Give the output from the cursor on (None: from the beginning) to its end, following while it runs.

        Entering the context opens the stream: done before `start`, not a byte is missed. Leaving it (also by an error
        or a cancellation) releases all that it holds. The iterator yields bytes exactly as written and ends when the
        container has ended and everything is given; a child left behind in the background that holds the streams open
        delays the end by a short grace only. It may be opened more than once. Raises `NotFound` where the handle is
        unknown and `EngineUnavailable` where the connection breaks before the end: open it again with a cursor then.
        """
        ...

    async def start(self, handle: ContainerHandle) -> None:
        """Start the container. Idempotent: starting what runs or has ended changes nothing.

        Raises `FailedPrecondition` where the engine refuses (no such command, ...), `NotFound` for an unknown handle.
        """
        ...

    async def wait(self, handle: ContainerHandle) -> ExitResult:
        """Wait for the end of a started container; at once where it has ended. Cancelling leaves it running.

        Raises `FailedPrecondition` where it was never started, `NotFound` for an unknown handle.
        """
        ...

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        """Ask to end (SIGTERM), then kill after the grace (0: kill at once). Idempotent; what has ended stays as it is.

        Returns when the container has ended. A created container that was never started ends too (exit code 137).
        """
        ...

    async def inspect(self, handle: ContainerHandle) -> ContainerStatus:
        """Tell state, exit code and times. Raises `NotFound`."""
        ...

    async def remove(self, handle: ContainerHandle) -> None:
        """Remove the container and its logs; kills it where it runs. Idempotent: removing the unknown is done."""
        ...

    def owned(self, instance: InstanceId) -> AsyncIterator[Owned]:
        """Give every container with this instance's label, in any state."""
        ...


class ObjectStoreEngine(Protocol):
    """Keeps the content of objects. Declared in the group `gofer.object_store_engines`.

    It gets bytes under ids that tell nothing: what they belong to, and who may see it, is the server's to know. An
    object may be larger than the memory. Any method may be called at any time, concurrently too, also after another has
    failed, and raises `EngineUnavailable` where the store can't be reached. Cancelling an await ends the wait; what was
    asked may or may not have been done.
    """

    name: str

    async def __aenter__(self) -> Self:
        """Open the store. Raises `EngineUnavailable`, or `FailedPrecondition` where it can't be used as it is."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it. What was put stays, but for engines that say otherwise."""
        ...

    async def put(self, key: BlobKey, content: AsyncIterable[bytes]) -> int:
        """Keep the content in the place of what is under the key, whole or not at all; give its size in bytes.

        Its pieces may be of any size, empty ones too. Nobody sees anything of it before it returns, and then it
        survives a failure of the power, but for engines that keep nothing. What `content` raises is raised here. Of a
        put that failed, was cancelled or died with the process nothing is left, at the latest after the next start.
        """
        ...

    def get(self, key: BlobKey) -> AsyncGenerator[bytes, None]:
        """Give the content exactly, in pieces of at most 1 MiB, none of them empty. Raises `NotFound`.

        It ends only where all of it was given: what is deleted or replaced while it is read either is given to its end,
        or raises `NotFound` in the middle. Close the generator (`aclosing`) to let go of what it holds.
        """
        ...

    async def delete(self, key: BlobKey) -> None:
        """Forget the content. Idempotent: deleting the unknown is done."""
        ...

    def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Give every key of the instance, in any order.

        What is put or deleted meanwhile may be missing or there. The store may be changed between two items.
        """
        ...


class SecretStoreEngine(Protocol):
    """Keeps the values of secrets. Declared in the group `gofer.secret_store_engines`.

    It gets sealed bytes only, under ids that tell nothing: what they belong to, and who may see it, is the server's to
    know. Any method may be called at any time, concurrently too, also after another has failed, and raises
    `EngineUnavailable` where the store can't be reached. Cancelling an await ends the wait; what was asked may or may
    not have been done.
    """

    name: str

    async def __aenter__(self) -> Self:
        """Open the store. Raises `EngineUnavailable`, or `FailedPrecondition` where it can't be used as it is."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it. What was put stays, but for engines that say otherwise."""
        ...

    async def put(self, key: BlobKey, sealed: bytes) -> None:
        """Keep the bytes in the place of what is under the key, whole or not at all.

        Once it returns they survive a failure of the power, but for engines that keep nothing.
        """
        ...

    async def get(self, key: BlobKey) -> bytes:
        """Give the bytes exactly. Raises `NotFound`."""
        ...

    async def delete(self, key: BlobKey) -> None:
        """Forget the bytes. Idempotent: deleting the unknown is done."""
        ...

    def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Give every key of the instance, in any order.

        What is put or deleted meanwhile may be missing or there. The store may be changed between two items.
        """
        ...
