"""A deletion of a pipeline that is killed: right after it was asked for, and as its last run has ended."""

from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import EventFilter, GoferClient
from gofer_sdk.errors import NotFound, Unavailable
from tests.integration.servers import finished, server

PIPELINE = "doomed"


async def begin(client: GoferClient) -> None:
    """Start a run that ends when it is told to."""
    work = proto.UserPipelineTaskConfig(id="work", image="busybox", command=["/bin/sh", "-c", "echo on; sleep 600"])
    registered = await client.pipelines.register(proto.UserPipelineConfig(id=PIPELINE, name="Doomed", tasks=[work]))
    await client.pipelines.deploy(PIPELINE, registered.config.version)
    await client.runs.start(PIPELINE)
    async for event in client.events.list(only=EventFilter(kinds=("TASKRUN_STARTED",)), follow=True, limit=1):
        assert event.id


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_a_deletion_that_is_killed_is_brought_to_its_end_by_the_next_start(tmp_path: Path) -> None:
    async with server(tmp_path, "process", "--event", "PIPELINE_DELETION_REQUESTED") as first:
        async with first.client() as client:
            await begin(client)
            with pytest.raises(Unavailable):
                await client.pipelines.delete(PIPELINE)
        assert await first.dead() == -9

    # It may die before it serves.
    killable = "tests.integration.killable_server"
    ended, said = await finished(killable, str(tmp_path), "process", "--event", "RUN_COMPLETED")
    assert ended == -9, said

    async with server(tmp_path, "process") as third, third.client() as client:
        gone = EventFilter(kinds=("PIPELINE_DELETED",))
        async for event in client.events.list(only=gone, follow=True, limit=1):
            assert event.id
        with pytest.raises(NotFound):
            await client.pipelines.get(PIPELINE)
        assert [] == [path for path in (tmp_path / "data" / "logs").rglob("*") if path.is_file()]
        await begin(client)
        assert [2] == [run.id async for run in client.runs.each(PIPELINE)]
        await client.pipelines.delete(PIPELINE)
