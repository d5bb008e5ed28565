"""Task runs and their logs."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from gofer.api.caller import current_caller
from gofer.api.convert.common import page_of
from gofer.api.convert.task_runs import log_query_of, task_run_to_proto
from gofer.api.log_stream import chunks, lines
from gofer.services.runs import Target
from gofer.services.task_runs import TaskRuns
from gofer_sdk._proto import proto


class TaskRunHandlers(proto.GoferBase):
    """The RPCs about task runs."""

    def __init__(self, *, task_runs: TaskRuns, results_limit: int) -> None:
        """Give at most `results_limit` items of a list at once."""
        self._task_runs = task_runs
        self._results_limit = results_limit

    async def get_task_run(self, message: proto.GetTaskRunRequest) -> proto.GetTaskRunResponse:
        """Serve GetTaskRun."""
        view = await self._task_runs.get(current_caller(), _target(message))
        return proto.GetTaskRunResponse(task_run=task_run_to_proto(view))

    async def list_task_runs(self, message: proto.ListTaskRunsRequest) -> proto.ListTaskRunsResponse:
        """Serve ListTaskRuns."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.run_id)
        page = page_of(message, self._results_limit)
        listed = await self._task_runs.list(current_caller(), target, page)
        return proto.ListTaskRunsResponse(
            task_runs=[task_run_to_proto(view) for view in listed.items], next_cursor=listed.next_cursor
        )

    async def cancel_task_run(self, message: proto.CancelTaskRunRequest) -> proto.CancelTaskRunResponse:
        """Serve CancelTaskRun."""
        await self._task_runs.cancel(current_caller(), _target(message), force=message.force)
        return proto.CancelTaskRunResponse()

    async def delete_task_run_logs(self, message: proto.DeleteTaskRunLogsRequest) -> proto.DeleteTaskRunLogsResponse:
        """Serve DeleteTaskRunLogs."""
        await self._task_runs.delete_logs(current_caller(), _target(message))
        return proto.DeleteTaskRunLogsResponse()

    async def get_task_run_logs(
        self, message: proto.GetTaskRunLogsRequest
    ) -> AsyncIterator[proto.GetTaskRunLogsResponse]:
        """Serve GetTaskRunLogs."""
        query = log_query_of(message)
        async with aclosing(self._task_runs.logs(current_caller(), _target(message), query)) as blocks:
            async for reply in chunks(blocks) if message.raw else lines(blocks):
                yield reply


def _target(
    message: proto.GetTaskRunRequest
    | proto.CancelTaskRunRequest
    | proto.GetTaskRunLogsRequest
    | proto.DeleteTaskRunLogsRequest,
) -> Target:
    return Target(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.run_id, task=message.id)
