"""Runs, task runs, and what the run machine works on: the immutable plan and the mutable progress."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, RunKey, TaskId, TaskRunKey, Version
from gofer.core.pipeline import Task


class RunState(StrEnum):
    """A run's life. PENDING is queued; RUNNING is admitted; the rest is final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self in _ENDED_RUN


class TaskState(StrEnum):
    """A task run's life. STARTING: the attempt is committed and being launched; STOPPING: its stop is committed."""

    PENDING = "PENDING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether the task run has ended."""
        return self in _ENDED_TASK

    @property
    def is_live(self) -> bool:
        """Whether an engine may hold a container of it."""
        return self in _LIVE_TASK


# Asked several times for each signal. Tuples, as the hash of a member is a call of Python, and its identity is not.
_ENDED_RUN: Final = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
_ENDED_TASK: Final = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.SKIPPED)
_LIVE_TASK: Final = (TaskState.STARTING, TaskState.RUNNING, TaskState.STOPPING)


class ReasonCode(StrEnum):
    """Why a run or task run ended as it did; never renamed. The wire shows the nearest 0.6 value beside it."""

    ABNORMAL_EXIT = "abnormal_exit"  # a task's exit code was not 0; a run has a failed task
    LAUNCH_FAILED = "launch_failed"  # the engine refused the container or its start
    IMAGE_UNAVAILABLE = "image_unavailable"  # the image is neither there nor to be had
    REFERENCE_UNRESOLVED = "reference_unresolved"  # a value refers to something that is not there
    NOT_DUE_YET = "not_due_yet"  # the task needs a feature that this server does not have
    REQUIREMENT_UNMET = "requirement_unmet"  # skipped: a parent's outcome does not match
    CANCELLED = "cancelled"  # a user's cancel
    TASK_CANCELLED = "task_cancelled"  # the run ended CANCELLED because single tasks of it were cancelled
    TIMED_OUT = "timed_out"  # the timeout of the task, or of its run, passed
    ORPHANED = "orphaned"  # the engine does not know the attempt any more
    INTERNAL_ERROR = "internal_error"  # a fault of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why, as a code for programs and a sentence for people."""

    code: ReasonCode
    description: str


class InitiatorType(StrEnum):
    """Who asked for a run."""

    UNKNOWN = "UNKNOWN"
    BOT = "BOT"
    HUMAN = "HUMAN"
    EXTENSION = "EXTENSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiator:
    """Who asked for a run, by what name, and why."""

    type: InitiatorType
    name: str
    reason: str = ""


class VariableSource(StrEnum):
    """Where a variable comes from; a later one in this list beats an earlier one."""

    SYSTEM = "SYSTEM"
    PIPELINE_CONFIG = "PIPELINE_CONFIG"
    RUN_OPTIONS = "RUN_OPTIONS"
    EXTENSION = "EXTENSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable of a task run, as stored and shown: a reference stays a reference."""

    key: str
    value: str
    source: VariableSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A cancel that a user asked for, kept until it is applied. `force` means kill at once."""

    at: datetime
    force: bool


def stronger(stored: StopRequest | None, given: StopRequest | None) -> StopRequest | None:
    """Give the request that holds: the first one, unless a later one is by force and it is not."""
    if stored is None or (given is not None and given.force and not stored.force):
        return given
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a pipeline. `revision` rises with each stored change; `version` is fixed at creation.

    `reason` of a run that has not ended says why it is being stopped. `engine` is the one that its attempts were given
    to, empty before the first. `timeout` is how long it may take from its admission, None = no limit. `damage` says in
    words what of the stored run can't be read: such a run can be shown and ended, never begun.
    """

    namespace: NamespaceId
    pipeline: PipelineId
    id: RunId
    version: Version
    state: RunState
    reason: Reason | None = None
    initiator: Initiator
    variables: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    timeout: timedelta | None = None
    created_at: datetime
    admitted_at: datetime | None = None
    ended_at: datetime | None = None
    stop_request: StopRequest | None = None
    objects_expired: bool = False
    revision: int = 0
    engine: str = ""
    damage: str = ""

    @property
    def key(self) -> RunKey:
        """The run's full name."""
        return RunKey(namespace=self.namespace, pipeline=self.pipeline, run=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshRun:
    """A queued run as it was stored, with what its version says: how many may be live (0 = any), and its tasks."""

    run: Run
    parallelism: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One execution of a task in a run. `attempt` is 0 until it is launched; `exit_code` None where there is none.

    `reason` of a task run that is STOPPING says why it is being stopped. `silent` is one that ended without having
    written a byte: its log is empty though there is no file of it.
    """

    namespace: NamespaceId
    pipeline: PipelineId
    run: RunId
    id: TaskId
    state: TaskState
    reason: Reason | None = None
    attempt: int = 0
    engine: str = ""
    exit_code: int | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stop_request: StopRequest | None = None
    logs_expired: bool = False
    logs_removed: bool = False
    silent: bool = False

    @property
    def key(self) -> TaskRunKey:
        """The task run's full name."""
        return TaskRunKey(namespace=self.namespace, pipeline=self.pipeline, run=self.run, task=self.id)

    def attempt_id(self, instance: InstanceId) -> AttemptId:
        """Name the current attempt for an engine."""
        return AttemptId(key=self.key, number=self.attempt, instance=instance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What does not change during a run: its tasks and who waits for whom. Built once by `Plan.of`."""

    key: RunKey
    engine: str  # the engine that new attempts of this run use
    initiator: Initiator
    tasks: Mapping[TaskId, Task]
    children: Mapping[TaskId, tuple[TaskId, ...]]
    deadline: timedelta | None = None  # from admission; None = no limit

    @classmethod
    def of(cls, run: Run, tasks: tuple[Task, ...], *, engine: str) -> "Plan":
        """Build the plan of a run from the tasks of its version; they were checked at registration."""
        children: dict[TaskId, list[TaskId]] = {task.id: [] for task in tasks}
        for task in tasks:
            for parent in task.depends_on:
                children[parent].append(task.id)
        return cls(
            key=run.key,
            engine=engine,
            initiator=run.initiator,
            tasks={task.id: task for task in tasks},
            children={task: tuple(found) for task, found in children.items()},
            deadline=run.timeout,
        )


@dataclass(slots=True, kw_only=True)
class Progress:
    """What changes during a run; held and changed by the run's one actor alone, through the machine.

    `task_runs` is empty before admission. The counters are derived by `Progress.of` and kept by `machine.apply`.
    """

    run: Run
    children: Mapping[TaskId, tuple[TaskId, ...]]  # the plan's own
    task_runs: MutableMapping[TaskId, TaskRun]
    open_parents: MutableMapping[TaskId, int]  # per task: parents that have not ended
    unfinished: int  # task runs that have not ended
    failed: int  # task runs that ended FAILED
    cancelled: int  # task runs that ended CANCELLED

    @classmethod
    def of(cls, plan: Plan, run: Run, task_runs: Mapping[TaskId, TaskRun]) -> "Progress":
        """Derive the counters from stored rows, for an actor that starts or starts again."""
        ended = {task for task, found in task_runs.items() if found.state.is_terminal}
        states = [found.state for found in task_runs.values()]
        return cls(
            run=run,
            children=plan.children,
            task_runs=dict(task_runs),
            open_parents={
                task: sum(1 for parent in plan.tasks[task].depends_on if parent not in ended) for task in plan.tasks
            },
            unfinished=len(plan.tasks) - len(ended),
            failed=states.count(TaskState.FAILED),
            cancelled=states.count(TaskState.CANCELLED),
        )
