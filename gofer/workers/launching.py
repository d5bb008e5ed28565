"""What the supervision of task runs needs from the rest of the server, gathered in one value."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from gofer.clock import Clock
from gofer.core.errors import EngineUnavailable, GoferError, Unavailable
from gofer.core.ids import AttemptId, InstanceId, TaskRunKey
from gofer.core.pipeline import RegistryAuth
from gofer.core.secret import Secret
from gofer.engines.protocols import ImageSpec, RegistryCredentials, SchedulerEngine
from gofer.logs import LogStore
from gofer.workers.rendering import Rendering
from gofer.workers.slot_gate import SlotGate
from gofer.workers.troubles import Troubles

T = TypeVar("T")


class LaunchStep(StrEnum):
    """The steps of a launch between which a process can die; told to the observer just before each is taken."""

    FIND = "find"
    CREATE = "create"
    START = "start"
    RUNNING = "running"
    EXITED = "exited"
    REMOVE = "remove"


class SecretOpener(Protocol):
    """Opens what was sealed for storage."""

    def open(self, sealed: bytes) -> bytes:
        """Give the plaintext. Raises `FailedPrecondition` where no known key opens it."""
        ...


class MaskKeeper(Protocol):
    """Keeps what an attempt got until its end, for whoever goes on with its log. Raises `EngineUnavailable`."""

    async def keep(self, attempt: AttemptId, secrets: Iterable[Secret]) -> None:
        """Keep what the attempt is about to get."""
        ...

    async def kept(self, attempt: AttemptId) -> tuple[Secret, ...]:
        """Give what was kept. Raises `NotFound`, and `FailedPrecondition` where it can't be read."""
        ...

    async def forget(self, attempt: AttemptId) -> None:
        """Forget it. Raises nothing else where that can't be done now."""
        ...


class Spawn(Protocol):
    """Starts a named task in the group that owns it."""

    def __call__(self, work: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Start the work; an exception of it ends the group."""
        ...


def _nothing(step: LaunchStep, key: TaskRunKey) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launching:
    """The parts that every supervisor shares. `stop_timeout` is the grace between SIGTERM and SIGKILL."""

    engine_of: Callable[[str], Awaitable[SchedulerEngine]]  # by name; use `engine`
    instance: InstanceId
    logs: LogStore
    slots: SlotGate
    opener: SecretOpener
    rendering: Rendering
    masks: MaskKeeper
    clock: Clock
    stop_timeout: timedelta
    observe: Callable[[LaunchStep, TaskRunKey], None] = field(default=_nothing)
    troubles: Troubles = field(default_factory=Troubles)

    async def engine(self, name: str) -> SchedulerEngine:
        """Give an engine by its name. Raises `EngineUnavailable` while it can't be had, also where it isn't installed.

        Only an engine that answers can say that a container is gone, so one that is missing is waited for.
        """
        try:
            return await self.engine_of(name)
        except Unavailable:
            raise
        except GoferError as error:
            raise EngineUnavailable(f"the engine {name!r} can't be used: {error.message}", engine=name) from error

    def image_of(self, name: str, auth: RegistryAuth | None) -> ImageSpec:
        """Name an image with its registry password opened."""
        if auth is None:
            return ImageSpec(name=name)
        password = self.opener.open(auth.sealed_password).decode()
        return ImageSpec(name=name, credentials=RegistryCredentials(user=auth.user, password=password))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Waits that double from `first` up to `most`, for what will come back."""

    first: timedelta = timedelta(milliseconds=100)
    most: timedelta = timedelta(seconds=10)

    def wait(self, tries: int) -> timedelta:
        """Give the wait after that many failures (from 0)."""
        return min(self.first * (1 << min(tries, 16)), self.most)
