"""The memory engine: containers that do what their environment says, and run nothing.

For tests, examples and trying pipelines out. `memory_script` lists the environment keys. Containers live as long as the
engine object, also while it is not entered, so that a restart of a server can be played with one object.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from gofer.clock import Clock, SystemClock
from gofer.core.errors import EngineUnavailable, FailedPrecondition, NotFound
from gofer.core.ids import AttemptId, InstanceId
from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.engines.protocols import (
    Capabilities,
    ContainerHandle,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    ExitResult,
    Found,
    ImageSpec,
    Owned,
    PullProgress,
)
from gofer.engines.scheduler.memory_container import MemoryContainer
from gofer.engines.scheduler.memory_script import MISSING_REGISTRY, MemoryScript
from gofer.lifecycle import OwnedTasks, owned_tasks

_KILLED: Final = 137
_TERMINATED: Final = 143
_KEPT_STARTS: Final = 5_000


class MemoryEngine:
    """A `SchedulerEngine` without processes; `release`, `write`, `lose`, `disconnect` and `reconnect` steer it."""

    name = "memory"
    capabilities = Capabilities(isolates=True, pulls_images=False, tells_streams=True, survives_restart=False)

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._containers: dict[ContainerHandle, MemoryContainer] = {}
        self._stack = AsyncExitStack()
        self._tasks: OwnedTasks | None = None
        self._reachable = True
        self._starts: deque[AttemptId] = deque(maxlen=_KEPT_STARTS)

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(owned_tasks())
        for container in self._containers.values():
            if container.state is ContainerState.RUNNING and container.due is not None:
                self._arm(container)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks = None
        await self._stack.aclose()

    async def find(self, attempt: AttemptId) -> Found | None:
        """Find the attempt's container."""
        self._reach()
        container = self._containers.get(_handle(attempt))
        return None if container is None else Found(handle=container.handle, status=container.status)

    async def ensure_image(self, image: ImageSpec, *, progress: Callable[[PullProgress], None]) -> None:
        """Do nothing, but for an image below `missing.invalid/`: `NotFound`."""
        del progress  # nothing is ever pulled
        self._reach()
        if image.name.startswith(MISSING_REGISTRY):
            raise NotFound(f"there is no image {image.name}", image=image.name)

    async def create(self, spec: ContainerSpec) -> ContainerHandle:
        """Read the script and keep the container. Raises `InvalidInput` for a script with faults."""
        self._reach()
        handle = _handle(spec.attempt)
        if handle not in self._containers:
            script = MemoryScript.of(spec.environment)
            if script.fail_create:
                raise FailedPrecondition(script.fail_create, attempt=str(spec.attempt))
            self._containers[handle] = MemoryContainer(handle, spec, script)
        return handle

    def logs(
        self, handle: ContainerHandle, *, since: LogCursor | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LogChunk]]:
        """Give the scripted output, and what `write` adds, until the end."""
        return self._logs(handle, since or LogCursor())

    @asynccontextmanager
    async def _logs(self, handle: ContainerHandle, since: LogCursor) -> AsyncIterator[AsyncIterator[LogChunk]]:
        async with aclosing(self._check(handle).follow(since, lambda: self._check(handle))) as chunks:
            yield chunks

    async def start(self, handle: ContainerHandle) -> None:
        """Begin to do what the script says."""
        container = self._check(handle)
        if container.state is not ContainerState.CREATED:
            return
        if container.script.fail_start:
            raise FailedPrecondition(container.script.fail_start, attempt=str(container.spec.attempt))
        self._starts.append(container.spec.attempt)
        container.start(at=self._clock.now())
        if container.script.hold:
            return
        if container.script.sleep > timedelta():
            container.due = self._clock.monotonic() + container.script.sleep
            self._arm(container)
        else:
            self._end(container, container.script.exit_code)

    async def wait(self, handle: ContainerHandle) -> ExitResult:
        """Wait for the end. `FailedPrecondition` where it was never started."""
        container = self._check(handle)
        if container.state is ContainerState.CREATED:
            raise FailedPrecondition(f"the container {handle} is not started", handle=handle)
        await self._ended(container)
        status = container.status
        exit_code = _KILLED if status.exit_code is None else status.exit_code
        return ExitResult(exit_code=exit_code, started_at=status.started_at, ended_at=status.ended_at)

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        """End it: with 143 unless it ignores SIGTERM, with 137 after the grace."""
        container = self._check(handle)
        if container.state is ContainerState.CREATED or grace <= timedelta():
            self._end(container, _KILLED)
        elif not container.script.ignores_sigterm:
            self._end(container, _TERMINATED)
        elif container.state is ContainerState.RUNNING:
            kill = self._reach().spawn(self._kill_after(container, grace), name=f"kill {handle}")
            try:
                await self._ended(container)
            finally:
                kill.cancel()

    async def inspect(self, handle: ContainerHandle) -> ContainerStatus:
        """Tell state, exit code and times."""
        return self._check(handle).status

    async def remove(self, handle: ContainerHandle) -> None:
        """Forget the container; what ran is killed."""
        self._reach()
        container = self._containers.pop(handle, None)
        if container is not None:
            self._end(container, _KILLED)

    async def owned(self, instance: InstanceId) -> AsyncIterator[Owned]:
        """Give this instance's containers."""
        self._reach()
        for container in tuple(self._containers.values()):
            if container.spec.attempt.instance == instance:
                yield Owned(handle=container.handle, attempt=container.spec.attempt)

    # ------------------------------------------------------------ what tests steer and look at

    @property
    def starts(self) -> tuple[AttemptId, ...]:
        """The attempts that were started, in order, of very many the last; one that stands here twice ran twice."""
        return tuple(self._starts)

    def environment_of(self, attempt: AttemptId) -> Mapping[str, str]:
        """Give what the attempt's container got. Raises `NotFound`."""
        return self._known(_handle(attempt)).spec.environment

    def release(self, attempt: AttemptId, *, exit_code: int | None = None) -> None:
        """End a running container by itself, with its script's code or another. Raises `NotFound`."""
        container = self._known(_handle(attempt))
        self._end(container, container.script.exit_code if exit_code is None else exit_code)

    def write(self, attempt: AttemptId, data: bytes, *, stream: LogStream = LogStream.STDOUT) -> None:
        """Let a container write. Raises `NotFound`."""
        self._known(_handle(attempt)).write(LogChunk(stream=stream, data=data))

    def lose(self, attempt: AttemptId) -> None:
        """Forget a container, as if somebody had removed it behind Gofer's back; whoever waits gets `NotFound`."""
        container = self._known(_handle(attempt))
        del self._containers[container.handle]
        container.wake()

    def disconnect(self) -> None:
        """Let every call, also one that waits, raise `EngineUnavailable` until `reconnect`; containers go on."""
        self._reachable = False
        for container in self._containers.values():
            container.wake()

    def reconnect(self) -> None:
        """Answer again."""
        self._reachable = True

    # ------------------------------------------------------------ inside

    def _reach(self) -> OwnedTasks:
        if not self._reachable or self._tasks is None:
            raise EngineUnavailable("the memory engine can't be reached")
        return self._tasks

    def _check(self, handle: ContainerHandle) -> MemoryContainer:
        """Give the container, if the engine is there and knows it."""
        self._reach()
        return self._known(handle)

    def _known(self, handle: ContainerHandle) -> MemoryContainer:
        container = self._containers.get(handle)
        if container is None:
            raise NotFound(f"the memory engine knows no container {handle}", handle=handle)
        return container

    async def _ended(self, container: MemoryContainer) -> None:
        while container.state is not ContainerState.EXITED:
            self._check(container.handle)
            await container.change()

    def _end(self, container: MemoryContainer, exit_code: int) -> None:
        container.end(exit_code, at=self._clock.now())

    def _arm(self, container: MemoryContainer) -> None:
        self._reach().spawn(self._end_in_time(container), name=f"end of {container.handle}")

    async def _end_in_time(self, container: MemoryContainer) -> None:
        if container.due is not None:
            await self._clock.sleep(container.due - self._clock.monotonic())
            self._end(container, container.script.exit_code)

    async def _kill_after(self, container: MemoryContainer, grace: timedelta) -> None:
        await self._clock.sleep(grace)
        self._end(container, _KILLED)


def create(settings: object) -> MemoryEngine:
    """Make the engine with the machine's clock; it has no settings."""
    del settings
    return MemoryEngine(clock=SystemClock())


def _handle(attempt: AttemptId) -> ContainerHandle:
    return ContainerHandle(f"memory:{attempt}")
