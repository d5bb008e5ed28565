"""Follow a run to its end: its events as they come, and the logs of its tasks as they are written."""

import asyncio
import json
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Protocol

from gofer_sdk.client import EventFilter
from gofer_sdk.errors import FailedPrecondition, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection

    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

_CALLS_AT_ONCE: Final = 50
"""Streams of one connection, well below the 100 that servers commonly allow."""


class View(Protocol):
    """What is shown of a run that is followed; each method returns at once."""

    def event(self, event: "proto.Event") -> None:
        """Take an event of the run, in their order."""
        ...

    def task_waits(self, task: str) -> None:
        """Take note of a task that waits for its parents."""
        ...

    def task_started(self, task: str, *, at: int) -> None:
        """Take note of a task whose container has started, at Unix milliseconds."""
        ...

    def log(self, task: str, data: bytes) -> None:
        """Take some bytes of a task's log, cut anywhere."""
        ...

    def task_ended(self, task_run: "proto.TaskRun") -> None:
        """Take note of a task that has ended; all of its log was given before."""
        ...


async def follow(client: "GoferClient", run: "proto.Run", *, view: View) -> "proto.Run":
    """Show a run from its beginning to its end, through restarts of the server, and return it as it ended.

    A cancelled call leaves the run as it is. Raises CallFailed.
    """
    only = EventFilter(namespace=run.namespace, pipeline=run.pipeline, run=run.id)
    follower = _Follower(client, run, view)
    async with asyncio.TaskGroup() as tasks, aclosing(client.events.list(only=only, follow=True)) as events:
        async for event in events:
            view.event(event)
            if event.type == "RUN_COMPLETED":
                break
            follower.take(event, tasks)
    return await client.runs.get(run.pipeline, run.id, namespace=run.namespace)


class _Follower:
    """Pumps the log of each task that has started; what had ended before is told before."""

    def __init__(self, client: "GoferClient", run: "proto.Run", view: View) -> None:
        self._client = client
        self._run = run
        self._view = view
        self._gate = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def take(self, event: "proto.Event", tasks: asyncio.TaskGroup) -> None:
        """Begin what an event calls for."""
        if not event.type.startswith("TASKRUN_"):
            return
        task = str(json.loads(event.details)["task_run_id"])
        match event.type:
            case "TASKRUN_CREATED":
                self._view.task_waits(task)
            case "TASKRUN_STARTED":
                pump = self._pump(task, at=event.emitted, before=tuple(self._closing))
                self._pumps[task] = tasks.create_task(pump, name=f"log of {task}")
            case "TASKRUN_COMPLETED":
                if task not in self._pumps:
                    end = self._end(task, before=tuple(self._closing))
                    self._pumps[task] = tasks.create_task(end, name=f"end of {task}")
                self._closing.add(self._pumps[task])
                self._pumps[task].add_done_callback(self._closing.discard)
            case _:
                pass

    async def _pump(self, task: str, *, at: int, before: "Collection[asyncio.Task[None]]") -> None:
        await _all_done(before)
        self._view.task_started(task, at=at)
        async with self._gate:
            # An old run's log may be gone; that is told with the task run and keeps nothing else from being shown.
            with suppress(NotFound, FailedPrecondition):
                await self._show_log(task)
        await self._end(task, before=())

    async def _show_log(self, task: str) -> None:
        place = (self._run.pipeline, self._run.id, task)
        async with aclosing(self._client.task_runs.logs(*place, namespace=self._run.namespace)) as chunks:
            async for chunk in chunks:
                self._view.log(task, chunk.data)

    async def _end(self, task: str, *, before: "Collection[asyncio.Task[None]]") -> None:
        await _all_done(before)
        async with self._gate:
            ended = await self._client.task_runs.get(
                self._run.pipeline, self._run.id, task, namespace=self._run.namespace
            )
        self._view.task_ended(ended)


async def _all_done(tasks: "Collection[asyncio.Task[None]]") -> None:
    if tasks:
        await asyncio.wait(tasks)
