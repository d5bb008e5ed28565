"""One attempt of one task run, from its launch or its adoption to its removal.

The attempt was committed before this module hears of it, and it is the idempotency key of all that an engine is asked
to do. So every step may be interrupted, also by the end of the process: whoever comes next begins with `find`, and
goes on.

    FIND -> (unknown) -> slot, environment, image -> CREATE -> logs opened -> START -> RUNNING -> EXITED -> REMOVE
            created, running, exited ----------------^

The container is removed only after its exit is committed. A stop of a user ends the waiting steps (slot, pull) at once;
asyncio's own cancellation means only that this process goes away, and leaves the container running.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

import structlog

from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError, InvalidInput, NotFound
from gofer.core.ids import TaskRunKey
from gofer.core.pipeline import Task
from gofer.core.run import Reason, ReasonCode, Run, TaskRun, TaskState
from gofer.core.step import LaunchFailed, Signal, TaskExited, TaskLost, TaskStarted
from gofer.engines.protocols import (
    ContainerHandle,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    ExitResult,
    Found,
    ImageSpec,
    PullProgress,
    SchedulerEngine,
)
from gofer.logs.masked import MaskedLog
from gofer.workers.launching import BackOff, Launching, LaunchStep
from gofer.workers.rendering import Unrenderable
from gofer.workers.task_secrets import TaskSecrets

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_BACK_OFF = BackOff()
_AT_ONCE_SECONDS = 0
_CALM = timedelta(minutes=1)  # what went well for so long begins to count its failures again


class Post(Protocol):
    """Hands a signal to the run's actor."""

    def __call__(self, signal: Signal) -> asyncio.Event:
        """Queue the signal at once; what comes back is set when it is committed."""
        ...


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an attempt ended, and the container to remove once that is committed."""

    signal: Signal
    handle: ContainerHandle | None = None


class _Stopped(Exception):
    """A user's stop came before the container existed."""


class _Refused(Exception):
    """The launch can't succeed, however often it is tried."""

    def __init__(self, reason: Reason, handle: ContainerHandle | None = None) -> None:
        super().__init__(reason.description)
        self.reason = reason
        self.handle = handle


class TaskSupervisor:
    """Supervises one attempt. `run` is its life; `stop` may be called beside it."""

    def __init__(self, *, run: Run, task: Task, task_run: TaskRun, adopted: bool, parts: Launching, post: Post) -> None:
        """Supervise the current attempt of `task_run`; `adopted` where an earlier process may have launched it."""
        self._run = run
        self._task = task
        self._task_run = task_run
        self._may_exist = adopted
        self._is_new = False
        self._start_committed = task_run.started_at is not None
        self._parts = parts
        self._post = post
        self._attempt = task_run.attempt_id(parts.instance)
        self._name = str(self._attempt)
        self._about = f"the task run {task_run.key}"
        self._secrets = TaskSecrets(run, task, attempt=self._attempt, parts=parts)
        self._stopping = task_run.state is TaskState.STOPPING
        self._waiting: asyncio.Timeout | None = None
        self._settled = asyncio.Event()  # set when the container runs, or will never run
        self._running: ContainerHandle | None = None

    @property
    def key(self) -> TaskRunKey:
        """The task run that this is about."""
        return self._task_run.key

    async def run(self) -> None:
        """Bring the attempt to its end, have that committed, and remove the container."""
        if self._start_committed:
            self._parts.slots.take_over(self.key)
        try:
            ending = await self._persist(self._live)
            await self._post(ending.signal).wait()
            await self._secrets.forget()
        finally:
            self._parts.troubles.over(self._about)
            self._running = None
            self._settled.set()
            self._parts.slots.release(self.key)
        handle = ending.handle
        if handle is not None:
            await self._persist(lambda: self._remove(handle))
            self._parts.troubles.over(self._about)

    async def stop(self, *, force: bool) -> None:
        """Stop the attempt: waiting steps end at once, a container gets SIGTERM and its grace, or SIGKILL."""
        asked_before, self._stopping = self._stopping, True
        if self._waiting is not None and not asked_before:  # what is ending already can't be asked to end again
            self._waiting.reschedule(_AT_ONCE_SECONDS)
        await self._settled.wait()
        if self._running is not None:
            await self._persist(lambda: self._stop_container(force=force))
        if self._running is None:
            self._parts.troubles.over(self._about)

    async def _persist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, again and again while the engine or the disk can't be reached."""
        tries = 0
        while True:
            began = self._parts.clock.monotonic()
            try:
                return await work()
            except (EngineUnavailable, OSError) as error:
                if self._parts.clock.monotonic() - began > _CALM:
                    tries = 0
                self._complain(error, tries)
            await self._pause(_BACK_OFF.wait(tries))
            tries += 1

    def _complain(self, error: EngineUnavailable | OSError, tries: int) -> None:
        text = self._secrets.masked(str(error))
        if tries == 0:
            _log.warning("trying again until it works", attempt=self._name, error=text)
        self._parts.troubles.tell(self._about, text)

    async def _pause(self, wait: timedelta) -> None:
        """Wait; a first stop ends the wait, as it may be done without the engine."""
        if self._stopping:
            await self._parts.clock.sleep(wait)
        else:
            with suppress(_Stopped):
                await self._unless_stopped(lambda: self._parts.clock.sleep(wait))

    async def _live(self) -> _Ending:
        try:
            self._is_new = False
            engine = await self._engine()
            found = await self._find(engine) or await self._create(engine)
            if found is None:
                return _Ending(TaskLost(task=self._task.id))
            return await self._follow(engine, found)
        except _Stopped:
            reason = Reason(code=ReasonCode.CANCELLED, description="cancelled before its container started")
            return _Ending(LaunchFailed(task=self._task.id, reason=reason))
        except _Refused as refused:
            return _Ending(LaunchFailed(task=self._task.id, reason=refused.reason), refused.handle)
        except NotFound:
            return _Ending(TaskLost(task=self._task.id))

    async def _engine(self) -> SchedulerEngine:
        """Give the engine; what it was never asked to make can be stopped without it."""
        if self._may_exist:
            return await self._parts.engine(self._task_run.engine)
        return await self._unless_stopped(lambda: self._parts.engine(self._task_run.engine))

    async def _find(self, engine: SchedulerEngine) -> Found | None:
        self._parts.observe(LaunchStep.FIND, self.key)
        if not self._may_exist:
            return None
        found = await engine.find(self._attempt)
        if found is None:
            self._parts.slots.release(self.key)  # counted since the server's start, as it might have been there
        else:
            self._parts.slots.take_over(self.key)
        return found

    async def _create(self, engine: SchedulerEngine) -> Found | None:
        """Make the container; None where it was seen running before and the engine has lost it."""
        if self._start_committed:
            return None
        image, environment = await self._unless_stopped(lambda: self._prepared(engine))
        await self._secrets.keep()
        self._parts.observe(LaunchStep.CREATE, self.key)
        self._is_new, self._may_exist = not self._may_exist, True
        try:
            handle = await engine.create(self._spec(image, environment))
        except (NotFound, FailedPrecondition, InvalidInput) as error:
            raise _Refused(self._reason(ReasonCode.LAUNCH_FAILED, error)) from error
        return Found(handle=handle, status=ContainerStatus(state=ContainerState.CREATED))

    async def _prepared(self, engine: SchedulerEngine) -> tuple[ImageSpec, Mapping[str, str]]:
        """Wait for a slot and for the image, and find the environment."""
        await self._parts.slots.acquire(self.key)
        try:
            environment = await self._secrets.rendered()
        except Unrenderable as error:
            raise _Refused(error.reason) from error
        try:
            image = self._secrets.image()
            await engine.ensure_image(image, progress=self._on_pull)
        except (NotFound, FailedPrecondition, InvalidInput) as error:
            raise _Refused(self._reason(ReasonCode.IMAGE_UNAVAILABLE, error)) from error
        return image, environment

    async def _follow(self, engine: SchedulerEngine, found: Found) -> _Ending:
        handle = found.handle
        if self._start_committed and found.status.state is ContainerState.CREATED:
            # It ran, and the engine has lost that. To start it would be to run the task twice.
            return _Ending(TaskLost(task=self._task.id), handle)
        if found.status.state is not ContainerState.CREATED:
            self._can_be_stopped(handle)  # its log may have to wait
        secrets = await self._secrets.to_mask()
        async with self._parts.logs.writer(self.key, is_new=self._is_new) as writer:
            log = MaskedLog(writer, secrets)
            async with engine.logs(handle, since=writer.cursor) as chunks:
                if found.status.state is ContainerState.CREATED:
                    await self._start(engine, handle)
                self._parts.observe(LaunchStep.RUNNING, self.key)
                self._tell_started(found)
                self._parts.troubles.over(self._about)
                self._can_be_stopped(handle)
                async for chunk in chunks:
                    await log.append(chunk)
                await log.finish()
            result = await engine.wait(handle)
        self._parts.observe(LaunchStep.EXITED, self.key)
        return _Ending(self._exited(result, silent=writer.size_bytes == 0), handle)

    def _can_be_stopped(self, handle: ContainerHandle) -> None:
        self._running = handle
        self._settled.set()

    async def _start(self, engine: SchedulerEngine, handle: ContainerHandle) -> None:
        if self._stopping:
            reason = Reason(code=ReasonCode.CANCELLED, description="cancelled before its container started")
            raise _Refused(reason, handle)
        self._parts.observe(LaunchStep.START, self.key)
        try:
            await engine.start(handle)
        except (FailedPrecondition, InvalidInput) as error:
            raise _Refused(self._reason(ReasonCode.LAUNCH_FAILED, error), handle) from error

    def _reason(self, code: ReasonCode, error: GoferError) -> Reason:
        """Give the reason that an error is; an engine may have quoted what it was given."""
        return Reason(code=code, description=self._secrets.masked(error.message))

    def _tell_started(self, found: Found) -> None:
        if self._start_committed:
            return
        self._start_committed = True
        self._post(TaskStarted(task=self._task.id, at_engine=found.status.started_at))

    def _exited(self, result: ExitResult, *, silent: bool) -> TaskExited:
        return TaskExited(
            task=self._task.id,
            exit_code=result.exit_code,
            started_at=result.started_at,
            ended_at=result.ended_at,
            silent=silent,
        )

    async def _stop_container(self, *, force: bool) -> None:
        handle = self._running
        if handle is None:
            return
        engine = await self._parts.engine(self._task_run.engine)
        grace = self._parts.stop_timeout
        try:
            await engine.stop(handle, grace=grace * 0 if force else grace)
        except NotFound:
            return  # it ended, and its supervisor removed it

    async def _remove(self, handle: ContainerHandle) -> None:
        engine = await self._parts.engine(self._task_run.engine)
        self._parts.observe(LaunchStep.REMOVE, self.key)
        try:
            await engine.remove(handle)
        except EngineUnavailable:
            raise
        except GoferError as error:
            # The run has ended as it should; the next start of the server looks for what was left over.
            _log.warning("container not removed", attempt=self._name, error=error.message)

    async def _unless_stopped(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._stopping:
            raise _Stopped
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await work()
        except TimeoutError:
            if self._stopping:
                raise _Stopped from None
            raise
        finally:
            self._waiting = None

    def _spec(self, image: ImageSpec, environment: Mapping[str, str]) -> ContainerSpec:
        key = self.key
        return ContainerSpec(
            attempt=self._attempt,
            name=f"{key.namespace}_{key.pipeline}_{key.run}_{key.task}",
            image=image,
            command=self._task.command,
            entrypoint=self._task.entrypoint,
            environment=environment,
            is_new=self._is_new,
        )

    def _on_pull(self, progress: PullProgress) -> None:
        _log.debug("pulling", attempt=self._name, image=progress.image, status=progress.status)
