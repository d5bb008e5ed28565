"""The process engine: tasks are processes of this machine, without a daemon, without images, without isolation.

Each attempt has a folder that holds all its state, and a shim that starts it (see `gofer.engines.process`), so that
both outlive this server. A task runs in a working folder of its own, which is its HOME too, with the environment
that it was given and a PATH; both streams come as one. It ends when its first process ends: what that leaves behind in
its process group is killed. Only what makes itself a session or a group of its own escapes, as nothing isolates.

Exit codes are the shell's, 128 + N for a death by signal N. Where somebody kills the shim itself, the task counts as
killed (137) and its processes are killed with it.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from gofer.config.settings import ProcessSettings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, InvalidInput, NotFound
from gofer.core.ids import AttemptId, InstanceId
from gofer.core.output import LogChunk, LogCursor
from gofer.engines.process.folder import (
    KILLED,
    AttemptFolder,
    Seen,
    attempt_of,
    clear_leftovers,
    folder_name,
    list_attempts,
    make_folder,
)
from gofer.engines.process.group import BootId, read_boot_id
from gofer.engines.process.inotify import FileChanges
from gofer.engines.process.shim import Launched, Tools, launch
from gofer.engines.process.spool import SpoolReader
from gofer.engines.process.terminal import process_terminal
from gofer.engines.process.threads import Threads
from gofer.engines.process.watch import Watch
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
from gofer.engines.terminals import Terminal, TerminalSpec
from gofer.files import ensure_private_folder

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What the engine has while it is entered."""

    tools: Tools
    boot: BootId
    threads: Threads
    changes: FileChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adopted:
    """What a folder says, and a descriptor of its shim where that lives (else -1); the receiver's."""

    seen: Seen
    pidfd: int


class ProcessEngine:
    """A `SchedulerEngine` of local processes. `folder` is its own; `path` is the PATH of tasks that bring none.

    A task may have `open_files` files open, as its soft limit; 0: as many as this process.
    """

    name = "process"
    capabilities = Capabilities(isolates=False, pulls_images=False, tells_streams=False, survives_restart=True)

    def __init__(self, *, folder: Path, path: str, open_files: int = 0) -> None:
        self._root = folder
        self._open_files = open_files
        self._path = path
        self._watches: dict[ContainerHandle, Watch] = {}
        self._opened: _Opened | None = None

    async def __aenter__(self) -> Self:
        tools, boot = await asyncio.to_thread(_prepare, self._root, self._open_files)
        self._opened = _Opened(tools=tools, boot=boot, threads=Threads(), changes=FileChanges())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._opened = self._opened, None
        for watch in self._watches.values():
            watch.detach()
        self._watches.clear()
        if opened is not None:
            opened.changes.close()
            await opened.threads.close()

    async def find(self, attempt: AttemptId) -> Found | None:
        """Look for the attempt's folder."""
        name = folder_name(attempt)
        if attempt_of(name) != attempt:
            return None
        handle = ContainerHandle(name)
        seen = await self._use().threads.run(self._folder(handle).look)
        return None if seen is None else Found(handle=handle, status=seen.status)

    async def ensure_image(self, image: ImageSpec, *, progress: Callable[[PullProgress], None]) -> None:
        """Do nothing: images mean nothing here."""

    async def create(self, spec: ContainerSpec) -> ContainerHandle:
        """Make the attempt's folder. Raises `FailedPrecondition` for a spec with neither command nor entrypoint."""
        handle = ContainerHandle(folder_name(spec.attempt))
        argv = (*spec.entrypoint, *spec.command)
        _check_spec(spec, argv)
        defaults = {"PATH": self._path, "HOME": str(self._folder(handle).work)}
        environment = {**defaults, **spec.environment}
        await self._use().threads.run(lambda: make_folder(self._root, spec, argv=argv, environment=environment))
        return handle

    def logs(
        self, handle: ContainerHandle, *, since: LogCursor | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LogChunk]]:
        """Follow the spool; all of it counts as stdout."""
        return self._logs(handle, since or LogCursor())

    @asynccontextmanager
    async def _logs(self, handle: ContainerHandle, since: LogCursor) -> AsyncIterator[AsyncIterator[LogChunk]]:
        opened = self._use()
        folder = self._folder(handle)
        reader = SpoolReader(changes=opened.changes, run=opened.threads.run)

        def take(found: tuple[_Adopted, int] | None) -> Watch | None:
            watch = self._take_adopted(handle, None if found is None else found[0])
            if found is not None and watch is not None:
                reader.attach(found[1], folder.log, watch)
            elif found is not None:
                os.close(found[1])
            return watch

        try:
            if await opened.threads.run_to_end(lambda: _adopt_with_log(folder), take) is None:
                self._use()  # who has left the engine meanwhile has learned nothing
                raise _unknown(handle)
            async with aclosing(reader.follow(since.stdout_bytes + since.stderr_bytes)) as chunks:
                yield chunks
        finally:
            reader.close()

    async def start(self, handle: ContainerHandle) -> None:
        """Start the command; done when nothing stands before it any more, so that a signal reaches it."""
        opened = self._use()
        folder = self._folder(handle)
        launched = await opened.threads.run_to_end(
            lambda: _start(folder, handle, opened.tools), lambda each: self._take_launched(handle, each)
        )
        if not launched and not (await self._watch(handle)).was_started:
            raise EngineUnavailable(f"the process of {handle} ended before its command; is the disk full?")

    async def wait(self, handle: ContainerHandle) -> ExitResult:
        """Wait for the end of the first process. `FailedPrecondition` where it was never started."""
        watch = await self._watch(handle)
        if not watch.was_started:
            raise FailedPrecondition(f"the container {handle} is not started", handle=handle)
        await watch.ended.wait()
        status = watch.status or await self._status_of_ended(handle)
        exit_code = KILLED if status.exit_code is None else status.exit_code
        return ExitResult(exit_code=exit_code, started_at=status.started_at, ended_at=status.ended_at)

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        """Send SIGTERM to the process group, and SIGKILL after the grace."""
        watch = await self._watch(handle)
        if not watch.was_started:
            watch = await self._claim(handle, watch)
        with suppress(TimeoutError):
            if grace > timedelta():
                watch.signal(signal.SIGTERM)
                async with asyncio.timeout(grace.total_seconds()):
                    await watch.ended.wait()
        watch.signal(signal.SIGKILL)
        await watch.ended.wait()

    @asynccontextmanager
    async def attach(self, handle: ContainerHandle, spec: TerminalSpec) -> AsyncIterator[Terminal]:
        """Run a command beside the task, on a terminal."""
        opened = self._use()
        if (await self.inspect(handle)).state is not ContainerState.RUNNING:
            raise FailedPrecondition(f"the container {handle} does not run", handle=handle)
        async with process_terminal(self._folder(handle), spec, sh=opened.tools.sh, threads=opened.threads) as terminal:
            yield terminal

    async def inspect(self, handle: ContainerHandle) -> ContainerStatus:
        """Tell state, exit code and times."""
        seen = await self._use().threads.run(self._folder(handle).look)
        if seen is None:
            raise _unknown(handle)
        return seen.status

    async def remove(self, handle: ContainerHandle) -> None:
        """Kill what runs, and remove the folder with all that the task left in it."""
        opened = self._use()
        with suppress(NotFound):
            folder = self._folder(handle)
            if await opened.threads.run(folder.remove_if_ended):
                return
            watch = await self._watch(handle)
            if not watch.was_started:
                watch = await self._claim(handle, watch)
            watch.signal(signal.SIGKILL)
            await watch.ended.wait()
            await opened.threads.run(folder.remove)

    async def owned(self, instance: InstanceId) -> AsyncIterator[Owned]:
        """Give this instance's attempts that have a folder."""
        for attempt in await self._use().threads.run(lambda: list_attempts(self._root, instance)):
            yield Owned(handle=ContainerHandle(folder_name(attempt)), attempt=attempt)

    def _use(self) -> _Opened:
        if self._opened is None:
            raise EngineUnavailable("the process engine is not open")
        return self._opened

    def _folder(self, handle: ContainerHandle) -> AttemptFolder:
        if attempt_of(handle) is None:
            raise _unknown(handle)
        return AttemptFolder(self._root / handle, self._use().boot)

    async def _watch(self, handle: ContainerHandle) -> Watch:
        """Give the attempt's watch, which follows its process where it runs. Raises `NotFound`."""
        known = self._watches.get(handle)
        if known is not None and known.is_running:
            return known
        folder = self._folder(handle)
        watch = await self._use().threads.run_to_end(
            lambda: _adopt(folder), lambda adopted: self._take_adopted(handle, adopted)
        )
        if watch is None:
            self._use()
            raise _unknown(handle)
        return watch

    async def _status_of_ended(self, handle: ContainerHandle) -> ContainerStatus:
        seen = await self._use().threads.run(self._folder(handle).look)
        if seen is None:  # killed and removed meanwhile
            return ContainerStatus(state=ContainerState.EXITED, exit_code=KILLED)
        return seen.status

    def _tracked(self, handle: ContainerHandle) -> Watch:
        """Give the watch that all callers share until the attempt has ended; then the folder tells all there is."""
        watch = self._watches.get(handle)
        if watch is None:
            watch = self._watches[handle] = Watch()
            watch.on_end(lambda: self._watches.pop(handle, None))
        return watch

    async def _claim(self, handle: ContainerHandle, watch: Watch) -> Watch:
        """Let a created attempt end unstarted; where it was started at this moment, follow it."""
        if await self._use().threads.run(self._folder(handle).claim):
            watch.mark_ended()
            return watch
        return await self._watch(handle)

    def _take_launched(self, handle: ContainerHandle, launched: Launched | None) -> bool:
        if launched is None:
            return False
        if self._opened is None:
            os.close(launched.pidfd)
        else:
            self._tracked(handle).attach(launched.pid, launched.pidfd)
        return True

    def _take_adopted(self, handle: ContainerHandle, adopted: _Adopted | None) -> Watch | None:
        if self._opened is None:
            if adopted is not None and adopted.pidfd >= 0:
                os.close(adopted.pidfd)
            return None
        watch = self._tracked(handle)
        if adopted is not None and adopted.seen.shim is not None:
            watch.attach(adopted.seen.shim.pid, adopted.pidfd)
        elif not watch.is_running and (adopted is None or adopted.seen.status.state is ContainerState.EXITED):
            watch.mark_ended(None if adopted is None else adopted.seen.status)
        return None if adopted is None else watch


def create(settings: ProcessSettings) -> ProcessEngine:
    """Make the engine from its settings, whose folder must be named by now. Raises `InvalidInput`."""
    if not settings.folder:
        message = "scheduler.process.folder is empty: name the folder where the processes of tasks are kept"
        raise InvalidInput(message)
    return ProcessEngine(folder=Path(settings.folder).absolute(), path=settings.path, open_files=settings.open_files)


def _prepare(root: Path, open_files: int) -> tuple[Tools, BootId]:
    try:
        os.close(os.pidfd_open(os.getpid()))
        ensure_private_folder(root)
        if left := clear_leftovers(root):
            _log.warning(
                "folders of ended tasks can't be removed, another user has made something in them; remove them by hand",
                folders=[str(path) for path in left],
            )
        return Tools.found(open_files=open_files), read_boot_id()
    except OSError as error:
        raise EngineUnavailable(f"the process engine needs Linux 5.3 or newer, and {root}: {error}") from error


def _adopt(folder: AttemptFolder) -> _Adopted | None:
    while True:
        seen = folder.look()
        if seen is None:
            return None
        if seen.shim is None:
            return _Adopted(seen=seen, pidfd=-1)
        with suppress(ProcessLookupError):  # it ended since: look again
            pidfd = os.pidfd_open(seen.shim.pid)
            if folder.is_alive(seen.shim):  # else the number is another's by now, or it ended since
                return _Adopted(seen=seen, pidfd=pidfd)
            os.close(pidfd)


def _start(folder: AttemptFolder, handle: ContainerHandle, tools: Tools) -> Launched | None:
    seen = folder.look()
    if seen is None:
        raise _unknown(handle)
    if seen.status.state is not ContainerState.CREATED:
        return None
    try:
        argv, environment = folder.command(), folder.environment()
    except FileNotFoundError:  # started or removed at this moment
        return None
    launched = launch(folder.path, argv, environment, tools)
    if launched is not None and launched.has_environment:
        folder.forget_environment()
    return launched


def _adopt_with_log(folder: AttemptFolder) -> tuple[_Adopted, int] | None:
    try:
        log = os.open(folder.log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        adopted = _adopt(folder)
    except BaseException:
        os.close(log)
        raise
    if adopted is None:
        os.close(log)
        return None
    return adopted, log


def _check_spec(spec: ContainerSpec, argv: tuple[str, ...]) -> None:
    if attempt_of(folder_name(spec.attempt)) != spec.attempt:
        raise InvalidInput(f"the attempt {spec.attempt} has an id that is none", attempt=str(spec.attempt))
    if not argv:
        raise FailedPrecondition(
            f"the task {spec.attempt.key.task} has neither a command nor an entrypoint: the process engine runs no "
            "image, so that it needs one of them",
            attempt=str(spec.attempt),
        )
    faults = [*_faults_of_environment(spec.environment)]
    if any("\0" in word for word in argv):
        faults.append("the command holds a NUL byte, which no process can be given")
    if faults:
        raise InvalidInput("; ".join(faults), faults=tuple(faults), attempt=str(spec.attempt))


def _faults_of_environment(environment: Mapping[str, str]) -> list[str]:
    faults = [f"the variable {key!r} has a name that no process can be given" for key in environment if _is_bad(key)]
    faults += [
        f"the variable {key!r} holds a NUL byte, which no process can be given"
        for key, value in environment.items()
        if "\0" in value
    ]
    return faults


def _is_bad(key: str) -> bool:
    return not key or "=" in key or "\0" in key


def _unknown(handle: ContainerHandle) -> NotFound:
    return NotFound(f"the process engine knows no container {handle}", handle=handle)
