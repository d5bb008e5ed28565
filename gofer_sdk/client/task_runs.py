"""Task runs and their logs."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from gofer_sdk._proto import proto
from gofer_sdk.client.attachment import Attachment, TerminalWish, attachment
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.page import Page, each_of
from gofer_sdk.client.present import present


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The last lines of a log, as the place to begin at."""

    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Some bytes of a log, cut anywhere; `offset_bytes` is where in the log they begin."""

    offset_bytes: int
    data: bytes


class TaskRunCalls:
    """The executions of tasks within a run. The id of a task run is that of its task.

    `namespace` empty is the client's own, everywhere. A list's `limit` 0 is the server's own limit.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, pipeline: str, run: int, task: str, *, namespace: str = "") -> proto.TaskRun:
        """Return one task run.

        Raises NotFound.
        """
        request = proto.GetTaskRunRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, run_id=run, id=task
        )
        reply = await self._calls.safe(request, proto.GetTaskRunResponse)
        return present(reply.task_run, request)

    async def list(
        self, pipeline: str, run: int, *, limit: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.TaskRun]:
        """Return a page of a run's task runs: those that have not started, then the others by their start."""
        request = proto.ListTaskRunsRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            run_id=run,
            limit=limit,
            cursor=cursor,
        )
        reply = await self._calls.safe(request, proto.ListTaskRunsResponse)
        return Page(items=tuple(reply.task_runs), next_cursor=reply.next_cursor)

    def each(self, pipeline: str, run: int, *, namespace: str = "") -> AsyncGenerator[proto.TaskRun, None]:
        """Yield all task runs of a run, in the order of `list`."""
        return each_of(lambda cursor: self.list(pipeline, run, cursor=cursor, namespace=namespace))

    async def cancel(self, pipeline: str, run: int, task: str, *, force: bool = False, namespace: str = "") -> None:
        """Ask for a task run to be stopped; returns as soon as that is stored. One that has ended stays as it is.

        `force` kills its container at once. Raises NotFound, PermissionDenied.
        """
        request = proto.CancelTaskRunRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, run_id=run, id=task, force=force
        )
        await self._calls.once(request, proto.CancelTaskRunResponse)

    async def delete_logs(self, pipeline: str, run: int, task: str, *, namespace: str = "") -> None:
        """Remove the log of a task run that has ended; one that is gone already is no fault.

        Raises NotFound, PermissionDenied, FailedPrecondition (it has not ended).
        """
        request = proto.DeleteTaskRunLogsRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, run_id=run, id=task
        )
        await self._calls.safe(request, proto.DeleteTaskRunLogsResponse)

    def attach(
        self,
        pipeline: str,
        run: int,
        task: str,
        *,
        terminal: TerminalWish | None = None,
        namespace: str = "",
    ) -> AbstractAsyncContextManager[Attachment]:
        """Run a command on a terminal in the container of a running task, `sh` unless another is wished for.

        In the block the attachment types and gives what is printed; leaving the block ends the command. Entering may
        raise CallFailed; that the task run is not there (NotFound), does not run or has no terminals
        (FailedPrecondition) is raised by the output.
        """
        wish = terminal or TerminalWish()
        init = proto.AttachToTaskRunInit(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            run_id=run,
            id=task,
            command=list(wish.command),
            size=wish.window.to_message(),
            term=wish.term,
            raw=True,
        )
        return attachment(self._calls, init)

    async def logs(
        self,
        pipeline: str,
        run: int,
        task: str,
        *,
        start: int | Tail = 0,
        follow: bool = True,
        namespace: str = "",
    ) -> AsyncGenerator[LogChunk, None]:
        """Yield the log of a task run, byte for byte as its container wrote it.

        Begins at a number of bytes or at the last lines. With `follow` it ends when the task run has ended and all of
        its output was given; without, after what is there. A lost connection is made again and the log goes on where
        it was: no byte is lost and none comes twice. Raises NotFound, FailedPrecondition where the log was removed.
        """
        request = proto.GetTaskRunLogsRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            run_id=run,
            id=task,
            raw=True,
            no_follow=not follow,
        )
        if isinstance(start, Tail):
            request.tail_lines = start.lines
        else:
            request.offset_bytes = start
        async with aclosing(self._calls.resumed(request, proto.GetTaskRunLogsResponse)) as answers:
            async for answer in answers:
                data = answer.chunk
                # The server may begin a little earlier than it was asked to.
                known = max(request.offset_bytes - answer.offset_bytes, 0)
                request.tail_lines = 0
                request.offset_bytes = max(answer.offset_bytes + len(data), request.offset_bytes)
                if len(data) > known:
                    yield LogChunk(offset_bytes=answer.offset_bytes + known, data=data[known:])
