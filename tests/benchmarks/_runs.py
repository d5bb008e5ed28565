"""Runs as a client sees them: from the call that starts one to the event that tells of its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from gofer_sdk._proto import proto
from gofer_sdk.client import EventFilter, GoferClient

NEEDS_SUCCESS = proto.UserPipelineTaskConfigRequiredParentStatus.SUCCESS


def task(
    name: str,
    *,
    parents: Sequence[str] = (),
    command: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> proto.UserPipelineTaskConfig:
    """Give a task of the image that all benchmarks use."""
    return proto.UserPipelineTaskConfig(
        id=name,
        image="gofer-test/busybox:1",
        depends_on=dict.fromkeys(parents, NEEDS_SUCCESS),
        command=list(command),
        variables=dict(variables or {}),
    )


async def deploy(client: GoferClient, pipeline: str, tasks: Sequence[proto.UserPipelineTaskConfig]) -> None:
    """Register a pipeline and make it live."""
    config = proto.UserPipelineConfig(id=pipeline, name=pipeline, tasks=list(tasks))
    registered = await client.pipelines.register(config)
    await client.pipelines.deploy(pipeline, registered.config.version)


class Follower:
    """Hears of the ends of runs through one stream, which was opened before any run began."""

    def __init__(self, client: GoferClient) -> None:
        self._client = client
        self._ends: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def seconds_of_run(self, pipeline: str) -> float:
        """Start a run; the time from the call to the event of its end. It must have succeeded."""
        began = time.perf_counter()
        await self._client.runs.start(pipeline)
        return await self.next_end() - began

    async def next_end(self) -> float:
        """Wait for the next end of a run; when it was, by `time.perf_counter`. It must have succeeded."""
        ended, details = await self._ends.get()
        if '"SUCCESSFUL"' not in details:
            message = f"the run did not succeed: {details}"
            raise RuntimeError(message)
        return ended

    async def follow(self) -> None:
        """Follow until cancelled."""
        only = EventFilter(kinds=("RUN_COMPLETED",))
        async with aclosing(self._client.events.list(only=only, follow=True)) as events:
            async for event in events:
                self._ends.put_nowait((time.perf_counter(), event.details))


@asynccontextmanager
async def follower(client: GoferClient) -> AsyncIterator[Follower]:
    """Follow the ends of runs for the length of the block."""
    async with asyncio.TaskGroup() as group:
        found = Follower(client)
        following = group.create_task(found.follow(), name="follower")
        try:
            yield found
        finally:
            following.cancel()
