"""What an actor that starts from stored rows is told to do: the machine's word on what an earlier process left."""

from collections.abc import Set as AbstractSet

from gofer.core.run import Plan, Progress, RunState, StopRequest, TaskRun, TaskState
from gofer.core.step import (
    AdoptTask,
    ArmDeadline,
    ArmTaskDeadline,
    CancelRequested,
    Effect,
    LaunchTask,
    Signal,
    StopTask,
    TaskCancelRequested,
)


def resume(plan: Plan, progress: Progress) -> tuple[Effect, ...]:
    """Give the effects that are committed but perhaps not done, for an actor that starts from stored rows."""
    if progress.run.state is not RunState.RUNNING:
        return ()
    effects: list[Effect] = []
    for task_run in progress.task_runs.values():
        match task_run.state:
            case TaskState.STARTING:
                effects.append(LaunchTask(task=task_run.id, attempt=task_run.attempt))
            case TaskState.RUNNING:
                effects += [AdoptTask(task=task_run.id), *ArmTaskDeadline.of(plan, task_run)]
            case TaskState.STOPPING:
                effects += [AdoptTask(task=task_run.id), StopTask.of(task_run)]
            case _:
                pass
    if progress.run.reason is None:
        effects += ArmDeadline.of(plan, progress.run)
    return tuple(effects)


def stored_requests(progress: Progress, *, begun: AbstractSet[StopTask] = frozenset()) -> tuple[Signal, ...]:
    """Give the cancels that the rows hold and that may not be applied yet; posting one twice is harmless.

    An actor that starts, or that has loaded its rows again, posts these before anything else. That a stop by force was
    applied does not stand in the rows, so the actor names those that it has `begun`: to post it again would stop all
    of them again, each time that somebody asks for one more.
    """
    run = progress.run
    if run.state.is_terminal:
        return ()

    def is_applied(task_run: TaskRun, request: StopRequest) -> bool:
        is_stopping = task_run.state is TaskState.STOPPING
        return is_stopping and (not request.force or StopTask(task=task_run.id, force=True) in begun)

    found: list[Signal] = []
    unfinished = [task_run for task_run in progress.task_runs.values() if not task_run.state.is_terminal]
    request = run.stop_request
    if request is not None and (
        run.reason is None or (request.force and not all(is_applied(task_run, request) for task_run in unfinished))
    ):
        found.append(CancelRequested(request=request))
    found += (
        TaskCancelRequested(task=task_run.id, request=asked)
        for task_run in unfinished
        if (asked := task_run.stop_request) is not None and asked != request and not is_applied(task_run, asked)
    )
    return tuple(found)
