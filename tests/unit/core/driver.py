"""Drives a run through the machine as its actor does: decide, store, apply."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from gofer.core.events import Event, RunCompleted, TaskRunCompleted, TaskRunEvent
from gofer.core.ids import TaskId
from gofer.core.machine import apply, decide
from gofer.core.pipeline import Requirement
from gofer.core.run import Progress, Reason, ReasonCode, Run, StopRequest, TaskRun
from gofer.core.step import (
    Admitted,
    CancelRequested,
    Effect,
    LaunchFailed,
    LaunchTask,
    Signal,
    Step,
    StopTask,
    TaskCancelRequested,
    TaskDeadlinePassed,
    TaskExited,
    TaskLost,
    TaskStarted,
)
from tests.factories import NOW, make_plan, make_progress, make_run

Graph: TypeAlias = Mapping[str, Sequence[str] | Mapping[str, Requirement]]

REFUSED = Reason(code=ReasonCode.LAUNCH_FAILED, description="the engine refused")


class Driver:
    """One run, its clock, and all that came of its signals. Every signal comes a second after the one before."""

    def __init__(self, graph: Graph, deadline: timedelta | None = None, timeout: timedelta | None = None) -> None:
        self.plan = make_plan(graph, run=make_run(), deadline=deadline, timeout=timeout)
        self.progress = make_progress(self.plan, run=make_run())
        self.now = NOW
        self.events: list[Event] = []
        self.effects: list[Effect] = []

    def __call__(self, *signals: Signal) -> Step:
        """Play the signals and give the last one's step."""
        step = Step()
        for signal in signals:
            self.now += timedelta(seconds=1)
            step = decide(self.plan, self.progress, signal, at=self.now)
            apply(self.progress, step.changes)
            self.events += step.events
            self.effects += step.effects
        return step

    def ask(self, *, force: bool = False, task: str = "") -> StopRequest:
        """Store a stop request as the service does, without a word to the actor."""
        request = StopRequest(at=self.now, force=force)
        if task:
            found = self.task(task)
            self.progress.task_runs[found.id] = replace(found, stop_request=request)
        else:
            self.progress.run = replace(self.progress.run, stop_request=request)
        return request

    def reloaded(self) -> Progress:
        """Derive the progress from its rows again."""
        return Progress.of(self.plan, self.progress.run, self.progress.task_runs)

    @property
    def run(self) -> Run:
        return self.progress.run

    def task(self, name: str) -> TaskRun:
        return self.progress.task_runs[TaskId(name)]

    @property
    def states(self) -> dict[str, str]:
        return {task: found.state.value for task, found in self.progress.task_runs.items()}

    @property
    def told(self) -> list[str]:
        return [_told(event) for event in self.events]


def _told(event: Event) -> str:
    subject = f" {event.task_run_id}" if isinstance(event, TaskRunEvent) else ""
    status = f" {event.status}" if isinstance(event, TaskRunCompleted | RunCompleted) else ""
    return f"{event.kind}{subject}{status}"


ADMITTED = Admitted()


def started(task: str, at_engine: datetime | None = None) -> TaskStarted:
    return TaskStarted(task=TaskId(task), at_engine=at_engine)


def exited(
    task: str, code: int = 0, *, started_at: datetime | None = None, ended_at: datetime | None = None
) -> TaskExited:
    return TaskExited(task=TaskId(task), exit_code=code, started_at=started_at, ended_at=ended_at)


def refused(task: str) -> LaunchFailed:
    return LaunchFailed(task=TaskId(task), reason=REFUSED)


def lost(task: str) -> TaskLost:
    return TaskLost(task=TaskId(task))


def cancel(*, force: bool = False) -> CancelRequested:
    return CancelRequested(request=StopRequest(at=NOW, force=force))


def cancel_task(task: str, *, force: bool = False) -> TaskCancelRequested:
    return TaskCancelRequested(task=TaskId(task), request=StopRequest(at=NOW, force=force))


def overdue(task: str) -> TaskDeadlinePassed:
    return TaskDeadlinePassed(task=TaskId(task))


def launch(task: str, attempt: int = 1) -> LaunchTask:
    return LaunchTask(task=TaskId(task), attempt=attempt)


def stop(task: str, *, force: bool = False) -> StopTask:
    return StopTask(task=TaskId(task), force=force)
