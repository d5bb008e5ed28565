"""One live run: an inbox of signals, the machine that decides, the effects that follow.

Only the actor applies signals to an admitted run, in their order: decide, store in one commit, apply, then begin the
effects, each in a task of its own, so that a cancel never waits behind a pull. What users ask for is stored by the
services; the actor is poked and reads it, so that no request is lost to a crash or to a full queue.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Final, TypeVar, assert_never

import structlog

from gofer.core.errors import GoferError, IllegalTransition, NotFound, Unavailable, Unreadable
from gofer.core.ids import RunKey, TaskId
from gofer.core.machine import apply, decide
from gofer.core.resuming import resume, stored_requests
from gofer.core.run import Plan, Progress, Run, RunState, TaskRun
from gofer.core.step import (
    Admitted,
    AdoptTask,
    ArmDeadline,
    ArmTaskDeadline,
    Effect,
    EnsureImages,
    InternalFault,
    LaunchTask,
    Signal,
    Step,
    StopTask,
    TaskRunChanged,
)
from gofer.services.progress import RunProgress, StaleRevision
from gofer.workers.deadlines import Deadlines
from gofer.workers.launching import BackOff, Launching, Spawn
from gofer.workers.task_supervisor import TaskSupervisor

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_BACK_OFF = BackOff()
_PATIENCE = BackOff(most=timedelta(minutes=10))
MOST_SIGNALS_A_STEP: Final = 256  # a commit that others wait behind
MANY_TASKS: Final = 1000  # what is decided for so many takes too long for the loop
_A_BREATH: Final = 256  # of changes or effects, between two looks at what others have to do
_FAULT = "an internal fault; the server's log has the details"


@dataclass(frozen=True, slots=True)
class _Posted:
    """A signal, and what is set when it is committed."""

    signal: Signal
    committed: asyncio.Event


class RunActor:
    """Brings one run to its end. The inbox holds at most three signals for each live task run, so it needs no limit."""

    def __init__(self, *, key: RunKey, progress: RunProgress, parts: Launching, spawn: Spawn) -> None:
        """Spawn effects in the given group; it outlives the actor."""
        self._key = key
        self._store = progress
        self._parts = parts
        self._spawn = spawn
        self._inbox: deque[_Posted] = deque()
        self._wake = asyncio.Event()
        self._poked = False
        self._over = False
        self._about = f"the run {key}"
        self._load_from = progress.load
        self._fault = _FAULT  # what is told of the last one
        self._refusals = 0  # of the database, since it last took or gave something
        self._supervisors: dict[TaskId, TaskSupervisor] = {}
        self._stops: set[StopTask] = set()  # those that were begun
        self._deadlines = Deadlines(key=key, clock=parts.clock, spawn=spawn, post=self.post)
        self._while_live: list[asyncio.Task[object]] = []  # effects that mean nothing once the run has ended
        self._plan: Plan
        self._progress: Progress

    def poke(self) -> None:
        """Tell the actor that a stop request of its run may have been stored."""
        self._poked = True
        self._wake.set()

    def post(self, signal: Signal) -> asyncio.Event:
        """Queue a signal; what comes back is set when it is committed (or the actor is over)."""
        posted = _Posted(signal, asyncio.Event())
        if self._over:
            posted.committed.set()
        else:
            self._inbox.append(posted)
            self._wake.set()
        return posted.committed

    async def run(self) -> None:
        """Live until the run has ended; a fault of ours ends the run, never the server."""
        try:
            await self._until_over()
        finally:
            self._over = True
            self._parts.troubles.over(self._about)
            for posted in self._inbox:
                posted.committed.set()
            self._deadlines.over()
            for task in self._while_live:
                task.cancel()

    async def _until_over(self) -> None:
        """Never give up: whoever waits for a commit would take the end for one, and remove a container too early."""
        work = self._live
        tries = 0
        while not await self._survives(work):
            self._parts.troubles.tell(self._about, self._fault)
            await self._parts.clock.sleep(_PATIENCE.wait(tries))
            tries += 1
            work = self._live_broken

    async def _survives(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do the work; tell whether it was done. A fault of ours, or of an engine, is one run's, never the server's."""
        try:
            await work()
        except Unreadable as error:
            _log.error("what is stored of a run can't be read", run=str(self._key), error=error.message)
            self._fault = error.message
            return False
        except Exception:  # noqa: BLE001 (the actor's boundary)
            _log.exception("a fault in a run", run=str(self._key))
            return False
        return True

    async def _live(self) -> None:
        """Load the run, admit it or take it up again, and bring it to its end; nothing where there is nothing to do."""
        if not await self._load() or self._progress.run.state.is_terminal:
            return
        if self._progress.run.state is RunState.PENDING:
            await self._apply(Admitted())
        else:
            await self._take_up()
        await self._apply_stored_requests()
        await self._work()

    async def _live_broken(self) -> None:
        """End the run, whatever is wrong with its plan."""
        self._load_from = self._store.salvage
        if not await self._load():
            return
        await self._apply(InternalFault(description=self._fault))
        await self._take_up()
        self._wake.set()
        await self._work()

    async def _work(self) -> None:
        while not self._progress.run.state.is_terminal:
            await self._wake.wait()
            self._wake.clear()
            if self._poked:
                self._poked = False
                await self._load()
                await self._apply_stored_requests()
            while self._inbox:
                # What came while the last commit was made shares the next one. It stays in the inbox until then: a
                # fault must not lose it.
                group = tuple(islice(self._inbox, MOST_SIGNALS_A_STEP))
                await self._apply(*(posted.signal for posted in group))
                for posted in group:
                    self._inbox.popleft()
                    posted.committed.set()

    async def _take_up(self) -> None:
        """Begin what is committed and in nobody's hands: left by an earlier process, or by a lost reply."""
        effects = await self._thought(lambda: resume(self._plan, self._progress))
        await self._start_all((effect for effect in effects if not self._is_begun(effect)), adopted=True)

    def _is_begun(self, effect: Effect) -> bool:
        if isinstance(effect, LaunchTask | AdoptTask):
            return effect.task in self._supervisors
        return isinstance(effect, StopTask) and effect in self._stops

    async def _reload(self) -> None:
        """Find out what a write that was refused, or whose answer was lost, has changed."""
        await self._load()
        for task_run in self._progress.task_runs.values():
            self._let_go(task_run)
        await self._take_up()
        self.poke()

    async def _load(self) -> bool:
        """Read the run, as soon as the database can be read; False where it is gone."""
        while True:
            try:
                loaded = await self._load_from(self._key)
            except NotFound:
                return False
            except (Unavailable, OSError) as error:
                await self._wait_for_database(error)
            else:
                self._database_is_back()
                self._plan = loaded.plan
                self._progress = loaded.progress
                return True

    async def _apply_stored_requests(self) -> None:
        for signal in stored_requests(self._progress, begun=self._stops):
            await self._apply(signal)

    async def _apply(self, *signals: Signal) -> None:
        """Decide, store, apply, begin. A write that fails is tried again: what an engine did can't be undone."""
        while not self._progress.run.state.is_terminal:
            step = await self._thought(lambda: self._decide(signals))
            if not step.changes and not step.effects:
                return
            stored = await self._stored(step)
            if stored is None:
                await self._reload()
                continue
            await self._make_true(step)
            self._progress.run = replace(self._progress.run, revision=stored.revision)
            await self._start_all(step.effects, adopted=False)
            return

    async def _thought(self, think: Callable[[], T]) -> T:
        """Think where nobody waits for it. The actor does nothing else meanwhile, so that its progress stays as it is.

        Thinking is pure: what comes of it where the wait is cancelled is lost, and nothing with it.
        """
        return await asyncio.to_thread(think) if len(self._plan.tasks) > MANY_TASKS else think()

    async def _make_true(self, step: Step) -> None:
        """Apply what is committed, and let go the followers of what has ended; all of its output is on the disk."""
        for number, change in enumerate(step.changes, 1):
            apply(self._progress, (change,))
            if isinstance(change, TaskRunChanged):
                self._let_go(change.task_run)
            if number % _A_BREATH == 0:
                await asyncio.sleep(0)

    def _let_go(self, task_run: TaskRun) -> None:
        """End what goes on for a task run that has ended; nothing for another."""
        if task_run.state.is_terminal:
            self._parts.logs.end(task_run.key)
            self._deadlines.ended(task_run.id)

    async def _start_all(self, effects: Iterable[Effect], *, adopted: bool) -> None:
        for number, effect in enumerate(effects, 1):
            self._start(effect, adopted=adopted)
            if number % _A_BREATH == 0:
                await asyncio.sleep(0)

    def _decide(self, signals: Iterable[Signal]) -> Step:
        """Ask the machine; a signal that it has no place for is a fault of ours, and would be one for ever."""
        now = self._parts.clock.now()
        taken: tuple[Signal, ...] = tuple(signals)
        try:
            return decide(self._plan, self._progress, *taken, at=now)
        except (IllegalTransition, NotFound):
            _log.exception("a signal that can't be", run=str(self._key))
        possible: list[Signal] = []
        for signal in taken:
            with contextlib.suppress(IllegalTransition, NotFound):
                decide(self._plan, self._progress, *possible, signal, at=now)
                possible.append(signal)
        return decide(self._plan, self._progress, *possible, InternalFault(description=_FAULT), at=now)

    async def _stored(self, step: Step) -> Run | None:
        """Store a step; None where it was not, or may not have been, after a wait for what was in the way."""
        try:
            stored = await self._store.store(self._progress.run, step)
        except StaleRevision:
            return None
        except (Unavailable, OSError) as error:
            await self._wait_for_database(error)
            return None
        self._database_is_back()
        return stored

    async def _wait_for_database(self, error: Unavailable | OSError) -> None:
        if not self._refusals:
            _log.error("run not stored, trying again until it is", run=str(self._key), error=str(error))
        self._parts.troubles.tell(self._about, str(error))
        await self._parts.clock.sleep(_BACK_OFF.wait(self._refusals))
        self._refusals += 1

    def _database_is_back(self) -> None:
        if self._refusals:
            self._refusals = 0
            self._parts.troubles.over(self._about)

    def _start(self, effect: Effect, *, adopted: bool) -> None:
        match effect:
            case EnsureImages():
                self._start_while_live(self._survives(lambda: self._ensure_images(effect)), name=f"images {self._key}")
            case LaunchTask() | AdoptTask():
                self._supervise(effect.task, adopted=adopted or isinstance(effect, AdoptTask))
            case StopTask():
                if effect.task not in self._supervisors:
                    self._supervise(effect.task, adopted=True)
                self._stops.add(effect)
                self._spawn(self._stop(effect), name=f"stop {self._key.task(effect.task)}")
            case ArmDeadline() | ArmTaskDeadline():
                self._deadlines.arm(effect)
            case _:
                assert_never(effect)

    def _start_while_live(self, work: Coroutine[object, object, object], *, name: str) -> None:
        self._while_live.append(self._spawn(work, name=name))

    def _supervise(self, task: TaskId, *, adopted: bool) -> None:
        supervisor = self._supervisor(task, adopted=adopted)
        self._spawn(self._supervised(supervisor), name=f"supervise {supervisor.key}")

    def _supervisor(self, task: TaskId, *, adopted: bool) -> TaskSupervisor:
        supervisor = TaskSupervisor(
            run=self._progress.run,
            task=self._plan.tasks[task],
            task_run=self._progress.task_runs[task],
            adopted=adopted,
            parts=self._parts,
            post=self.post,
        )
        self._supervisors[task] = supervisor
        return supervisor

    async def _supervised(self, supervisor: TaskSupervisor) -> None:
        """Supervise; a fault of ours fails the run, and another supervision takes over, as the container may live."""
        task = supervisor.key.task
        tries = 0
        await self._survives(supervisor.run)
        while not self._has_ended(task):
            await self.post(InternalFault(description=_FAULT)).wait()
            await self._parts.clock.sleep(_PATIENCE.wait(tries))
            tries += 1
            if self._has_ended(task):
                return
            supervisor = self._supervisor(task, adopted=True)
            self._spawn(self._stop(StopTask.of(self._progress.task_runs[task])), name=f"stop {supervisor.key}")
            await self._survives(supervisor.run)

    async def _stop(self, effect: StopTask) -> None:
        """Stop the attempt. A fault of its engine is no excuse: what was asked to end must not go on for ever."""
        tries = 0
        while not await self._survives(lambda: self._supervisors[effect.task].stop(force=effect.force)):
            await self._parts.clock.sleep(_PATIENCE.wait(tries))
            tries += 1

    def _has_ended(self, task: TaskId) -> bool:
        return self._over or self._progress.task_runs[task].state.is_terminal

    async def _ensure_images(self, effect: EnsureImages) -> None:
        """Have the images of later tasks ready early. What fails here is told by the launch that needs the image."""
        for image in effect.images:
            with contextlib.suppress(GoferError, OSError):
                engine = await self._parts.engine(self._plan.engine)
                spec = self._parts.image_of(image.name, image.registry_auth)
                await engine.ensure_image(spec, progress=lambda _: None)
