"""Task runs: look up, cancel, read the logs, remove them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound, ShuttingDown
from gofer.core.events import Envelope, RunAdmitted, RunCompleted, RunEvent, TaskRunCancelRequested
from gofer.core.ids import RunKey, TaskId, TaskRunKey
from gofer.core.pipeline import Task
from gofer.core.run import Run, RunState, StopRequest, TaskRun, TaskState, Variable
from gofer.core.variables import environment
from gofer.logs import LogBlock, LogStore
from gofer.services.runs import Target, run_key
from gofer.sqlite import Database
from gofer.storage.page import BYTES_OF_AN_ENTRY, Listed, Page, wire_bytes
from gofer.storage.unit import Unit
from gofer_sdk.rules.ids import MAX_ID_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunView:
    """A task run with what is derived from elsewhere: its definition, its run, its environment as shown.

    `waiting` tells whether a parent of it has not ended. `damage` says in words why its definition can't be read, which
    is empty then but for its id.
    """

    task_run: TaskRun
    task: Task
    run: Run
    variables: tuple[Variable, ...]
    waiting: bool
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which part of a log a caller wants: from an offset on, or the last lines (0 = all), and what is to come.

    With `numbered` each block tells the number of its first line.
    """

    offset_bytes: int = 0
    tail_lines: int = 0
    follow: bool = True
    numbered: bool = False


class TaskRuns:
    """The use cases of task runs. Every method raises `NotFound` for what does not exist."""

    def __init__(self, *, database: Database[Unit], bus: Bus[Envelope], logs: LogStore) -> None:
        """Read logs from the given store."""
        self._database = database
        self._bus = bus
        self._logs = logs

    async def get(self, caller: Caller, target: Target) -> TaskRunView:
        """Give one task run."""

        def read(unit: Unit) -> TaskRunView:
            key = task_run_key(unit, caller, target)
            found = unit.runs.get_task_run(key)
            of_run = unit.runs.get_run(key.of_run)
            tasks = _tasks(unit, of_run)
            states = {} if found.state is not TaskState.PENDING else _states(unit, key.of_run)
            return _view(found, of_run, tasks, states)

        return await self._database.read(read)

    async def list(self, caller: Caller, target: Target, page: Page) -> Listed[TaskRunView]:
        """Give a run's task runs, those not started first, then by start."""

        def read(unit: Unit) -> Listed[TaskRunView]:
            key = run_key(unit, caller, target)
            of_run = unit.runs.find_run(key)
            if of_run is None:
                return Listed(items=(), next_cursor="")
            tasks = _tasks(unit, of_run)
            given_bytes = _texts_bytes(of_run.variables)
            # A task run shows its task, and the environment that this and the run's variables make.
            found = unit.runs.list_task_runs(key, page, lambda each: given_bytes + _task_bytes(tasks.of(each.id)))
            pending = any(each.state is TaskState.PENDING for each in found.items)
            states = _states(unit, key) if pending else {}
            return Listed(
                items=tuple(_view(each, of_run, tasks, states) for each in found.items),
                next_cursor=found.next_cursor,
            )

        return await self._database.read(read)

    async def cancel(self, caller: Caller, target: Target, *, force: bool) -> None:
        """Store the request and return; one that has ended stays as it is."""

        def write(unit: Unit) -> None:
            key = task_run_key(unit, caller, target)
            if unit.runs.get_run(key.of_run).state is RunState.PENDING:
                message = f"run {key.of_run} is still queued and has no task runs; cancel the run"
                raise FailedPrecondition(message)
            found = unit.runs.get_task_run(key)
            asked = found.stop_request
            if found.state.is_terminal or (asked is not None and (asked.force or not force)):
                return
            unit.runs.set_task_stop_request(key, StopRequest(at=unit.now, force=force))
            unit.record(
                TaskRunCancelRequested(
                    namespace_id=key.namespace,
                    pipeline_id=key.pipeline,
                    run_id=key.run,
                    task_run_id=key.task,
                    force=int(force),
                )
            )

        await self._database.write(write)

    async def logs(self, caller: Caller, target: Target, query: LogQuery) -> AsyncGenerator[LogBlock, None]:
        """Give the log as the container wrote it, to the end of the task run where it is followed.

        A follower of a run that is still queued waits for it. A task run that never starts has an empty log. Close the
        iterator to leave early. Raises `NotFound`, also where somebody has removed the log's file.
        """
        _check_query(query)
        key = await self._database.read(lambda unit: task_run_key(unit, caller, target))
        if not await self._is_admitted(key, wait=query.follow):
            return
        # Registered before its state is read: an end that is committed in between is told, never missed.
        with self._logs.following(key) as follower:
            found = await self._database.read(lambda unit: unit.runs.get_task_run(key))
            _check_kept(found)
            if found.state.is_terminal:
                follower.end()
            elif not query.follow:
                follower.leave_off()
            # Of one that was lost before its end, and of one that wrote nothing, there may be no file.
            if found.exit_code is not None and not found.silent:
                await follower.check_exists()
            begin = query.offset_bytes
            if query.tail_lines:
                begin = await follower.offset_of_last_lines(query.tail_lines)
            give = follower.numbered_blocks if query.numbered else follower.blocks
            async with aclosing(give(offset_bytes=begin)) as blocks:
                async for block in blocks:
                    yield block

    async def delete_logs(self, caller: Caller, target: Target) -> None:
        """Remove the log of a task run; followers of it end, and nothing happens where it is gone already.

        Raises `FailedPrecondition` for a task run that has not ended.
        """

        def read(unit: Unit) -> TaskRunKey:
            key = task_run_key(unit, caller, target)
            is_queued = unit.runs.get_run(key.of_run).state is RunState.PENDING  # and has no task runs yet
            if is_queued or not unit.runs.get_task_run(key).state.is_terminal:
                raise FailedPrecondition(
                    f"the task run {key} has not ended, and its log is not complete: cancel it, or wait for its end"
                )
            return key

        key = await self._database.read(read)
        # The file goes first: a log that is gone and not marked so is asked for again, one that was forgotten is not.
        await self._logs.delete(key)
        await self._database.write(lambda unit: unit.runs.set_logs_removed(key))

    async def _is_admitted(self, key: TaskRunKey, *, wait: bool) -> bool:
        """Tell whether the run has task runs, once it has left the queue; it may have been cancelled there."""
        with self._bus.subscribe(RunAdmitted, RunCompleted) as changes:
            while True:
                admitted = await self._database.read(lambda unit: _has_left_queue(unit, key))
                if admitted is not None or not wait:
                    return bool(admitted)
                await _next_of_run(changes, key.of_run)


def _has_left_queue(unit: Unit, key: TaskRunKey) -> bool | None:
    """Tell whether the run was admitted; None while it is queued. Raises `NotFound` for a run or task that is none."""
    run = unit.runs.get_run(key.of_run)
    if run.admitted_at is not None:
        return True
    tasks = _tasks(unit, run)
    if tasks.damage:
        raise FailedPrecondition(f"whether run {key.of_run} has a task {key.task!r} can't be told: {tasks.damage}")
    if key.task not in tasks.by_id:
        raise NotFound(f"run {key.of_run} has no task {key.task!r}", run=str(key.of_run), task=key.task)
    return False if run.state.is_terminal else None


async def _next_of_run(changes: Subscription[Envelope], key: RunKey) -> None:
    """Wait until something was told of the run, or may have been."""
    try:
        async for envelope in changes:
            event = envelope.event
            if isinstance(event, RunEvent) and key == RunKey(
                namespace=event.namespace_id, pipeline=event.pipeline_id, run=event.run_id
            ):
                return
    except Lagged:
        return
    raise ShuttingDown("the server is going away; go on where the log ended")


def _check_query(query: LogQuery) -> None:
    if query.offset_bytes < 0 or query.tail_lines < 0:
        raise InvalidInput("offset_bytes and tail_lines may not be negative")
    if query.offset_bytes and query.tail_lines:
        raise InvalidInput("offset_bytes and tail_lines exclude each other: give one of them")


def _check_kept(task_run: TaskRun) -> None:
    if task_run.logs_expired or task_run.logs_removed:
        how = "have expired" if task_run.logs_expired else "were removed"
        message = f"the logs of {task_run.key} {how}"
        raise FailedPrecondition(message)


def task_run_key(unit: Unit, caller: Caller, target: Target) -> TaskRunKey:
    """Find out which task run is meant; it need not exist. Raises as `run_key`."""
    if not target.task:
        message = "id is missing: name the task run by its task's id"
        raise InvalidInput(message)
    return run_key(unit, caller, target).task(TaskId(target.task))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tasks:
    """The definitions that a run's version holds; `damage` says in words why it may hold none."""

    by_id: Mapping[TaskId, Task]
    damage: str

    def of(self, task: TaskId) -> Task:
        """Give the definition of a task, an empty one where it can't be read."""
        return self.by_id.get(task) or Task(id=task, image="")

    def damage_of(self, task: TaskId) -> str:
        """Tell why the definition of a task can't be read; empty where it can."""
        return self.damage or ("" if task in self.by_id else "its version has no such task")


def _tasks(unit: Unit, run: Run) -> _Tasks:
    config = unit.pipelines.get_config(run.key.of_pipeline, run.version)
    damage = config.damage and f"version {config.version} of its pipeline can't be read, {config.damage}"
    return _Tasks(by_id={task.id: task for task in config.tasks}, damage=damage)


def _task_bytes(task: Task) -> int:
    words = (task.description, task.image, *task.entrypoint, *task.command)
    return (
        sum(map(wire_bytes, words))
        + BYTES_OF_AN_ENTRY * (len(words) + len(task.depends_on))
        + MAX_ID_LENGTH * len(task.depends_on)
        + 2 * _texts_bytes(task.variables)
    )


def _texts_bytes(texts: Mapping[str, str]) -> int:
    return sum(wire_bytes(key) + wire_bytes(value) + BYTES_OF_AN_ENTRY for key, value in texts.items())


def _states(unit: Unit, key: RunKey) -> Mapping[TaskId, TaskState]:
    return {task: found.state for task, found in unit.runs.all_task_runs(key).items()}


def _view(found: TaskRun, run: Run, tasks: _Tasks, states: Mapping[TaskId, TaskState]) -> TaskRunView:
    task = tasks.of(found.id)
    waiting = found.state is TaskState.PENDING and any(
        each in states and not states[each].is_terminal for each in task.depends_on
    )
    return TaskRunView(
        task_run=found,
        task=task,
        run=run,
        variables=environment(run, task),
        waiting=waiting,
        damage=tasks.damage_of(found.id),
    )
