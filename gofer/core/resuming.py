"""What an actor that starts from stored rows is told to do: the machine's word on what an earlier process left."""

from gofer.core.run import Plan, Progress, RunState, TaskState
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


def stored_requests(progress: Progress) -> tuple[Signal, ...]:
    """Give the cancels that the rows hold and that may not be applied yet; posting one twice is harmless.

    An actor that starts, or that has loaded its rows again, posts these before anything else.
    """
    run = progress.run
    if run.state.is_terminal:
        return ()
    found: list[Signal] = []
    if run.stop_request is not None and (run.reason is None or run.stop_request.force):
        found.append(CancelRequested(request=run.stop_request))
    found += (
        TaskCancelRequested(task=task_run.id, request=request)
        for task_run in progress.task_runs.values()
        if (request := task_run.stop_request) is not None
        and request != run.stop_request
        and not task_run.state.is_terminal
        and (request.force or task_run.state is not TaskState.STOPPING)
    )
    return tuple(found)
