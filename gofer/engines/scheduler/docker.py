"""The docker engine: tasks are containers of a Docker daemon, which outlive this process.

The daemon is the truth: containers are found by their labels, and nothing has to be remembered over a restart. While
this process lives it remembers which containers it removed because they were stopped before they were started; and,
only to save questions, which it made and has not started, and how those ended whose output it gave to the end.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from weakref import WeakValueDictionary

import structlog

from gofer.config.settings import DockerSettings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, NotFound
from gofer.core.ids import AttemptId, InstanceId
from gofer.core.output import LogChunk, LogCursor
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
from gofer.engines.scheduler.docker_client import DEFAULT_HOST, Conflict, DockerClient, Endpoint
from gofer.engines.scheduler.docker_convert import (
    INSTANCE_LABEL,
    Json,
    attempt_of,
    has_init_program,
    int_of,
    is_going_away,
    label_filter,
    labels_inspected,
    labels_of,
    object_of,
    status_of,
    stop_signal_of,
    text_of,
)
from gofer.engines.scheduler.docker_logs import Output
from gofer.engines.scheduler.docker_make import Maker
from gofer.engines.scheduler.docker_pull import Images
from gofer.engines.scheduler.docker_terminal import Terminals
from gofer.engines.terminals import Terminal, TerminalSpec
from gofer.lifecycle import OwnedTasks, owned_tasks

_log = structlog.get_logger(__name__)

_HANDLE: Final = re.compile(r"[0-9a-f]{64}")
_NEVER_STARTED: Final = ContainerStatus(state=ContainerState.EXITED, exit_code=137)
_STARTS_PER_CORE: Final = 2  # more at a time makes all of them slower
_REMOVED_WITHIN: Final = timedelta(seconds=60)


class DockerEngine:
    """A `SchedulerEngine` on a Docker daemon of API 1.41 (Docker 20.10) or later."""

    name = "docker"
    capabilities = Capabilities(isolates=True, pulls_images=True, tells_streams=True, survives_restart=True)

    def __init__(self, *, settings: DockerSettings, endpoint: Endpoint) -> None:
        """Know where the daemon is; entering the engine connects."""
        self._settings = settings
        self._endpoint = endpoint
        self._connected: _Connected | None = None
        self._stack = AsyncExitStack()
        self._fresh: set[ContainerHandle] = set()  # made here, and never told to start
        self._void: dict[ContainerHandle, AttemptId | None] = {}  # stopped before their start, and so removed
        self._creating: WeakValueDictionary[AttemptId, asyncio.Lock] = WeakValueDictionary()
        self._starting: WeakValueDictionary[ContainerHandle, asyncio.Lock] = WeakValueDictionary()
        self._outputs: set[Output] = set()
        self._terminals = Terminals()
        self._ends: dict[ContainerHandle, ContainerStatus] = {}  # seen at the end of an output, for who waits next

    async def __aenter__(self) -> Self:
        """Connect. Raises `EngineUnavailable`; `FailedPrecondition` where the daemon is too old."""
        async with AsyncExitStack() as stack:
            client = await DockerClient.connect(self._endpoint)
            stack.push_async_callback(client.close)
            tasks = await stack.enter_async_context(owned_tasks())
            self._connected = await _Connected.to(client, self._settings, tasks)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections; containers go on."""
        self._connected = None
        await self._stack.aclose()

    # ------------------------------------------------------------ making and starting

    async def find(self, attempt: AttemptId) -> Found | None:
        """Find the attempt's container by its labels."""
        for listed in await self._client.list("containers/json", all="1", filters=label_filter(labels_of(attempt))):
            handle = ContainerHandle(text_of(listed, "Id"))
            try:
                return Found(handle=handle, status=await self._status(handle))
            except NotFound:
                continue  # removed between the two questions
        for handle, voided in self._void.items():
            if voided == attempt:
                return Found(handle=handle, status=_NEVER_STARTED)
        return None

    async def ensure_image(self, image: ImageSpec, *, progress: Callable[[PullProgress], None]) -> None:
        """Look the image up, or pull it, as its policy says."""
        await self._reach().images.ensure(image, progress)

    async def create(self, spec: ContainerSpec) -> ContainerHandle:
        """Make the container, under another name where its own is taken."""
        async with self._creating.setdefault(spec.attempt, asyncio.Lock()):
            found = None if spec.is_new else await self.find(spec.attempt)
            if found is not None:
                return found.handle
            made = await self._reach().maker.make(spec)
            if made.is_new:
                self._fresh.add(made.handle)
            return made.handle

    async def start(self, handle: ContainerHandle) -> None:
        """Start it, a few at a time."""
        connected = self._reach()
        lock = self._starting.setdefault(_checked(handle), asyncio.Lock())
        async with connected.start_gate, lock:
            if handle in self._void:
                return
            is_fresh = handle in self._fresh
            self._fresh.discard(handle)
            if not is_fresh and (await self._status(handle)).state is not ContainerState.CREATED:
                return  # Docker would run again what has ended
            try:
                if not is_fresh:
                    await connected.maker.check_found(handle, await self._inspect(handle))
                await connected.client.post(f"containers/{handle}/start")
            except (NotFound, FailedPrecondition):
                if handle not in self._void:  # else a stop has removed it meanwhile, whatever the daemon says of that
                    await self._present(handle)  # one that is being removed is refused as if it could not be started
                    raise

    # ------------------------------------------------------------ while it runs

    def logs(
        self, handle: ContainerHandle, *, since: LogCursor | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LogChunk]]:
        """Give the output: attached where it was not started yet, from the daemon's log otherwise.

        What was started elsewhere may have been so by a server that was killed: terminals that it left are ended.
        """
        return self._logs(handle, since or LogCursor())

    @asynccontextmanager
    async def _logs(self, handle: ContainerHandle, since: LogCursor) -> AsyncIterator[AsyncIterator[LogChunk]]:
        unstarted = handle in self._fresh or (await self._status(handle)).state is ContainerState.CREATED
        if not unstarted:
            await self._terminals.end_left(self._client, handle)
        output = Output(self._client, handle, status=self._status, since=since)
        self._outputs.add(output)
        try:
            async with output.opened(unstarted=unstarted) as chunks:
                yield chunks
        finally:
            self._outputs.discard(output)
        if output.end is not None:
            self._ends[handle] = output.end

    async def wait(self, handle: ContainerHandle) -> ExitResult:
        """Wait for the end. `FailedPrecondition` where it was never started."""
        while True:
            status = self._ends.get(handle) or await self._status(handle)
            if status.state is ContainerState.CREATED:
                raise FailedPrecondition(f"the container {handle} is not started", handle=handle)
            if status.exit_code is not None:
                return ExitResult(exit_code=status.exit_code, started_at=status.started_at, ended_at=status.ended_at)
            await self._until_not_running(handle)

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        """Send the image's stop signal (SIGTERM where it names none), and SIGKILL after the grace.

        Raises `FailedPrecondition` where the container isn't ours.
        A container that was not started is removed: a start that is on its way to the daemon then finds none.
        """
        if handle in self._void:
            return
        inspected = _ours(handle, await self._present(handle))
        match status_of(inspected).state:
            case ContainerState.EXITED:
                pass
            case ContainerState.CREATED:
                await self._void_unstarted(handle, inspected)
            case ContainerState.RUNNING:
                await self._end_running(handle, stop_signal_of(inspected), grace)

    @asynccontextmanager
    async def attach(self, handle: ContainerHandle, spec: TerminalSpec) -> AsyncIterator[Terminal]:
        """Run a command in the container, on a terminal. Raises `FailedPrecondition` where it isn't ours."""
        inspected = _ours(handle, await self._present(handle))
        if status_of(inspected).state is not ContainerState.RUNNING:
            raise FailedPrecondition(f"the container {handle} does not run", handle=handle)
        connected = self._reach()
        async with self._terminals.opened(connected.client, handle, spec, tasks=connected.tasks) as terminal:
            yield terminal

    async def inspect(self, handle: ContainerHandle) -> ContainerStatus:
        """Tell state, exit code and times."""
        return await self._status(handle)

    # ------------------------------------------------------------ afterwards

    async def remove(self, handle: ContainerHandle) -> None:
        """Remove the container, its anonymous volumes and its log. Raises `FailedPrecondition` where it isn't ours."""
        self._fresh.discard(handle)
        self._ends.pop(handle, None)
        self._terminals.forget(handle)
        if handle in self._void:
            del self._void[handle]
            return
        try:
            _ours(handle, await self._inspect(handle))
        except NotFound:
            return
        await self._delete(handle)

    async def owned(self, instance: InstanceId) -> AsyncIterator[Owned]:
        """Give this instance's containers."""
        ours = label_filter({INSTANCE_LABEL: instance})
        for listed in await self._client.list("containers/json", all="1", filters=ours):
            attempt = attempt_of(object_of(listed, "Labels"))
            if attempt is not None:
                yield Owned(handle=ContainerHandle(text_of(listed, "Id")), attempt=attempt)

    # ------------------------------------------------------------ inside

    def _reach(self) -> "_Connected":
        if self._connected is None:
            raise EngineUnavailable("the docker engine is not connected")
        return self._connected

    @property
    def _client(self) -> DockerClient:
        return self._reach().client

    async def _inspect(self, handle: ContainerHandle) -> Json:
        return await self._client.get(f"containers/{_checked(handle)}/json")

    async def _present(self, handle: ContainerHandle) -> Json:
        inspected = await self._inspect(handle)
        if is_going_away(inspected):
            raise NotFound(f"the container {handle} is being removed", handle=handle)
        return inspected

    async def _status(self, handle: ContainerHandle) -> ContainerStatus:
        if handle in self._void:
            return _NEVER_STARTED
        try:
            return status_of(await self._present(handle))
        except NotFound:
            if handle in self._void:  # stopped while the question was on its way
                return _NEVER_STARTED
            raise

    async def _void_unstarted(self, handle: ContainerHandle, inspected: Json) -> None:
        self._void[handle] = attempt_of(labels_inspected(inspected))
        self._fresh.discard(handle)
        try:
            await self._delete(handle)
        except BaseException:
            self._void.pop(handle, None)  # a removal may have forgotten it meanwhile
            raise

    async def _end_running(self, handle: ContainerHandle, signal: str, grace: timedelta) -> None:
        if grace > timedelta() and await self._kill(handle, signal):
            try:
                async with asyncio.timeout(grace.total_seconds()):
                    await self._until_not_running(handle)
            except TimeoutError:
                pass
            else:
                return
        if await self._kill(handle, "SIGKILL"):
            await self._until_not_running(handle)

    async def _delete(self, handle: ContainerHandle) -> None:
        try:
            await self._client.delete(f"containers/{handle}", force="1", v="1")
        except NotFound:
            pass
        except Conflict:  # somebody else is removing it
            await self._until_removed(handle)
        for output in self._outputs:
            if output.handle == handle:
                output.look()  # the stream of a container that never ran does not end by itself

    async def _until_not_running(self, handle: ContainerHandle) -> None:
        try:
            await self._client.wait(f"containers/{handle}/wait", condition="not-running")
        except NotFound:
            if handle not in self._void:
                raise

    async def _until_removed(self, handle: ContainerHandle) -> None:
        try:
            async with asyncio.timeout(_REMOVED_WITHIN.total_seconds()):
                await self._client.wait(f"containers/{handle}/wait", condition="removed")
        except NotFound:
            pass
        except TimeoutError as error:
            raise EngineUnavailable(f"Docker has not removed the container {handle} for a minute") from error

    async def _kill(self, handle: ContainerHandle, signal: str) -> bool:
        """Send the signal; False where the container does not run any more."""
        try:
            await self._client.post(f"containers/{handle}/kill", signal=signal)
        except Conflict:
            return False
        return True


class _Connected:
    """What there is while the engine is entered."""

    def __init__(
        self, client: DockerClient, settings: DockerSettings, *, tasks: OwnedTasks, has_init: bool, cores: int
    ) -> None:
        self.client = client
        self.tasks = tasks
        self.images = Images(client, timeout=settings.pull_timeout)
        self.maker = Maker(client, self.images, settings, has_init=has_init)
        self.start_gate = asyncio.Semaphore(settings.start_gate or _STARTS_PER_CORE * cores)

    @classmethod
    async def to(cls, client: DockerClient, settings: DockerSettings, tasks: OwnedTasks) -> Self:
        """Look at the daemon behind the client."""
        cores = int_of(await client.get("info"), "NCPU")
        has_init = has_init_program(await client.daemon_version())
        if settings.init and not has_init:
            _log.warning("this Docker has no docker-init: a program that sets no handler ignores SIGTERM")
        return cls(client, settings, tasks=tasks, has_init=settings.init and has_init, cores=max(1, cores))


def create(settings: DockerSettings) -> DockerEngine:
    """Make the engine for the daemon that the settings, else `DOCKER_HOST`, name; else for the one of this machine."""
    url = settings.host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    folder: Path | None = None
    if os.environ.get("DOCKER_TLS_VERIFY") and not url.startswith("unix://"):
        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    return DockerEngine(settings=settings, endpoint=Endpoint(url=url, tls_folder=folder))


def _ours(handle: ContainerHandle, inspected: Json) -> Json:
    if INSTANCE_LABEL not in labels_inspected(inspected):
        raise FailedPrecondition(f"the container {handle} is not Gofer's: it is left alone", handle=handle)
    return inspected


def _checked(handle: ContainerHandle) -> ContainerHandle:
    """Refuse what is no container's id, before it becomes a part of a path."""
    if not _HANDLE.fullmatch(handle):
        raise NotFound(f"Docker knows no container {handle[:100]!r}", handle=handle[:100])
    return handle
