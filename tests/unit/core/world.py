"""A small world around the run machine: an engine that keeps containers, a shell that may die at any moment, a user."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

from gofer.core.events import Event, TaskRunCompleted
from gofer.core.ids import TaskId
from gofer.core.machine import apply, decide
from gofer.core.resuming import resume, stored_requests
from gofer.core.run import Plan, Progress, ReasonCode, Run, StopRequest, TaskRun, TaskState, stronger
from gofer.core.step import (
    Admitted,
    AdoptTask,
    CancelRequested,
    DeadlinePassed,
    Effect,
    InternalFault,
    LaunchFailed,
    LaunchTask,
    Signal,
    StopTask,
    TaskCancelRequested,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskStarted,
)
from tests.factories import NOW, make_progress, make_run
from tests.unit.core.driver import REFUSED

Choose: TypeAlias = Callable[[list[str]], str]


@dataclass(slots=True)
class Container:
    """What the engine knows of an attempt."""

    exit_code: int | None = None  # None: it runs


@dataclass(slots=True)
class World:
    """Everything that may happen to one run, as moves with names; what must always hold is checked after each."""

    plan: Plan
    progress: Progress = field(init=False)
    containers: dict[tuple[TaskId, int], Container] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)  # begun and not finished; lost in a crash
    inbox: list[Signal] = field(default_factory=list)  # posted and not committed; lost in a crash
    committed: list[Signal] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    launched: set[tuple[TaskId, int]] = field(default_factory=set)
    first_stop: str = ""  # what was first to stop the run
    stopped_tasks: dict[TaskId, str] = field(default_factory=dict)  # what was first to stop a task
    now: int = 0
    hurried: bool = False  # containers end by themselves soon

    def __post_init__(self) -> None:
        self.progress = make_progress(self.plan, run=make_run())
        self.inbox.append(Admitted())

    @property
    def run(self) -> Run:
        return self.progress.run

    # ------------------------------------------------------------ the actor

    def commit(self, signal: Signal) -> None:
        """Decide, store, apply, begin the effects; and hold the machine to its word."""
        before = dict(self.progress.task_runs)
        self._note_stop(signal)
        self.now += 1
        step = decide(self.plan, self.progress, signal, at=NOW + timedelta(seconds=self.now))
        apply(self.progress, step.changes)
        self.committed.append(signal)
        self.events += step.events
        self.effects += step.effects
        self._check(before, step.effects)

    def _note_stop(self, signal: Signal) -> None:
        """Write down the first stop; a stored request counts from when it was stored."""
        kinds = {CancelRequested: "cancel", DeadlinePassed: "deadline", InternalFault: "fault"}
        kind = kinds.get(type(signal), "")
        if kind and not self.first_stop and not self.run.state.is_terminal:
            self.first_stop = kind
        if isinstance(signal, TaskCancelRequested):
            self.stopped_tasks.setdefault(signal.task, "cancel")
        if isinstance(signal, TaskDeadlinePassed) and self._runs(signal.task):
            self.stopped_tasks.setdefault(signal.task, "deadline")
        if self.first_stop:
            for task, found in self.progress.task_runs.items():
                if not found.state.is_terminal:
                    self.stopped_tasks.setdefault(task, self.first_stop)

    def _check(self, before: dict[TaskId, TaskRun], effects: tuple[Effect, ...]) -> None:
        assert Progress.of(self.plan, self.run, self.progress.task_runs) == self.progress
        assert all(self.progress.task_runs[task] == was for task, was in before.items() if was.state.is_terminal)
        for effect in effects:
            if isinstance(effect, LaunchTask):
                assert (effect.task, effect.attempt) not in self.launched
                self.launched.add((effect.task, effect.attempt))
                self._check_parents(effect.task)
        if self.run.state.is_terminal:
            live = [key for key, found in self.containers.items() if found.exit_code is None]
            assert [] == live

    def _check_parents(self, task: TaskId) -> None:
        for parent, requirement in self.plan.tasks[task].depends_on.items():
            state = self.progress.task_runs[parent].state
            allowed = {"ANY": "SUCCEEDED FAILED SKIPPED", "SUCCESS": "SUCCEEDED", "FAILURE": "FAILED"}[requirement]
            assert state in allowed.split()

    # ------------------------------------------------------------ moves

    def step(self, choose: Choose) -> None:
        """Let one thing happen: mostly what goes on by itself, now and then what comes from outside."""
        going = [f"take {number}" for number in range(len(self.inbox))]
        going += [f"work {number}" for number in range(len(self.effects))]
        again = [f"again {number}" for number in range(len(self.committed))]
        names = choose([*(["going"] * 8 if going else []), *(["again"] if again else []), "crash", "outside"])
        match names:
            case "going":
                self.move(choose(going), choose)
            case "again":
                self.move(choose(again), choose)
            case "crash":
                self.crash()
            case _:
                self.move(choose(self._from_outside()), choose)

    def _runs(self, task: TaskId) -> bool:
        return self.progress.task_runs[task].state is TaskState.RUNNING

    def _from_outside(self) -> list[str]:
        live = [task for task, found in self.progress.task_runs.items() if not found.state.is_terminal]
        names = 3 * [f"{end} {task}" for task in live for end in ("cancel", "kill")]
        names += [f"overdue {task}" for task in live if self._runs(task)]
        names += ["cancel", "kill", "fault"] if not self.run.state.is_terminal else []
        return names + (["deadline"] if self.run.admitted_at else ["fault"])

    def move(self, name: str, choose: Choose) -> None:
        """Let it happen."""
        what, _, which = name.partition(" ")
        match what:
            case "cancel" | "kill":
                self._ask(which, force=what == "kill")
            case "fault":
                self.inbox.append(InternalFault(description="fault"))
            case "overdue":
                self.inbox.append(TaskDeadlinePassed(task=TaskId(which)))
            case "deadline":
                self.inbox.append(DeadlinePassed())
            case "take":
                self.commit(self.inbox.pop(int(which)))
            case "again":
                self.commit(self.committed[int(which)])
            case "work":
                self._work(self.effects.pop(int(which)), choose)
            case _:
                raise ValueError(name)

    def crash(self) -> None:
        """Forget all but the rows, and begin again from them."""
        self.inbox.clear()
        self.progress = Progress.of(self.plan, self.run, self.progress.task_runs)
        if self.run.admitted_at is None and not self.run.state.is_terminal:
            self.inbox.append(Admitted())
        self.effects = list(resume(self.plan, self.progress))
        self.inbox += stored_requests(self.progress)

    def _ask(self, task: str, *, force: bool) -> None:
        """Store a user's wish and poke the actor."""
        request = StopRequest(at=NOW, force=force)
        if not task:
            if not self.run.state.is_terminal:
                self.progress.run = replace(self.run, stop_request=stronger(self.run.stop_request, request))
                self.first_stop = self.first_stop or "cancel"
                self._note_stop(Admitted())
        elif not (found := self.progress.task_runs[TaskId(task)]).state.is_terminal:
            self.progress.task_runs[found.id] = replace(found, stop_request=stronger(found.stop_request, request))
            self.stopped_tasks.setdefault(found.id, "cancel")
        self.inbox += stored_requests(self.progress)

    # ------------------------------------------------------------ effects and the engine

    def _work(self, effect: Effect, choose: Choose) -> None:
        match effect:
            case LaunchTask():
                self._launch(effect, choose)
            case AdoptTask():
                self._watch(effect, choose)
            case StopTask():
                self._stop(effect)
            case _:
                pass

    def _launch(self, effect: LaunchTask, choose: Choose) -> None:
        key = (effect.task, effect.attempt)
        if self.progress.task_runs[effect.task].state is TaskState.STOPPING and key not in self.containers:
            self.inbox.append(LaunchFailed(task=effect.task, reason=REFUSED))
            return
        if key not in self.containers:
            if self.progress.task_runs[effect.task].state is not TaskState.STARTING:
                return  # an older launch of what has ended since
            if choose(["start", "start", "start", "refuse"]) == "refuse":
                self.inbox.append(LaunchFailed(task=effect.task, reason=REFUSED))
                return
            self.containers[key] = Container()
        if choose(["tell", "lose the reply"]) == "tell" and TaskExited not in self._told_of(effect.task):
            self.inbox.append(TaskStarted(task=effect.task))
        self.effects.append(AdoptTask(task=effect.task))

    def _watch(self, effect: AdoptTask, choose: Choose) -> None:
        key = (effect.task, self.progress.task_runs[effect.task].attempt)
        container = self.containers.get(key)
        stopping = self.progress.task_runs[effect.task].state is TaskState.STOPPING
        if container is not None and container.exit_code is None and (stopping or self._goes_on(choose)):
            self.effects.append(effect)  # what is being stopped would run for ever: only the stop ends it
            return
        if container is None or choose(["end"] * 4 + ["vanish"] * (container.exit_code is None)) == "vanish":
            self.containers.pop(key, None)
            self.inbox.append(TaskLost(task=effect.task))
            return
        if container.exit_code is None:
            container.exit_code = int(choose(["0", "0", "1"]))
        self.inbox.append(TaskExited(task=effect.task, exit_code=container.exit_code))

    def _goes_on(self, choose: Choose) -> bool:
        return not self.hurried and choose(["go on", "go on", "end"]) == "go on"

    def _stop(self, effect: StopTask) -> None:
        key = (effect.task, self.progress.task_runs[effect.task].attempt)
        container = self.containers.get(key)
        if container is not None and container.exit_code is None:
            container.exit_code = 137 if effect.force else 143

    def _told_of(self, task: TaskId) -> set[type[Signal]]:
        return {type(signal) for signal in (*self.inbox, *self.committed) if getattr(signal, "task", None) == task}

    # ------------------------------------------------------------ the end

    def settle(self, choose: Choose, *, moves: int) -> None:
        """Let everything that has begun come to its end, perhaps in a new process, and nothing new happen."""
        self.hurried = True
        if choose(["crash", "go on"]) == "crash":
            self.crash()
        while not self.run.state.is_terminal:
            assert moves > 0, "the run never ends"
            moves -= 1
            if not self.inbox and not self.effects:
                self.crash()
            if self.inbox:
                self.commit(self.inbox.pop(0))
            elif self.effects:
                self._work(self.effects.pop(0), choose)

    def check_outcome(self) -> None:
        """Judge the end by what was seen to happen, not by what the machine says of it."""
        ends = {task: found.state for task, found in self.progress.task_runs.items()}
        for task, found in self.progress.task_runs.items():
            ran = found.attempt > 0
            if task in self.stopped_tasks:
                timed_out = self.stopped_tasks[task] == "deadline" and ran
                assert found.state is (TaskState.FAILED if timed_out else TaskState.CANCELLED)
            completed = [e for e in self.events if isinstance(e, TaskRunCompleted) and e.task_run_id == task]
            assert 1 == len(completed)
        expected = "SUCCEEDED"
        if self.first_stop in {"deadline", "fault"} or TaskState.FAILED in ends.values():
            expected = "FAILED"
        elif self.first_stop == "cancel" or TaskState.CANCELLED in ends.values():
            expected = "CANCELLED"
        assert expected == self.run.state
        assert (self.run.reason is None) == (expected == "SUCCEEDED")
        assert ReasonCode.TASK_CANCELLED != getattr(self.run.reason, "code", None) or not self.first_stop
