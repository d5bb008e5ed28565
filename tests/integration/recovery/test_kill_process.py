"""kill -9 at every step of a launch, at every transition, and at random moments: nothing lost, nothing done twice."""

import asyncio
import random
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import CallFailed
from tests.integration.servers import ServerProcess, server

STEPS = ("create", "start", "running", "exited", "remove")
KINDS = (
    "RUN_STARTED",
    "RUN_ADMITTED",
    "TASKRUN_CREATED",
    "TASKRUN_STARTED",
    "TASKRUN_COMPLETED",
    "RUN_COMPLETED",
)
LINES = 200
MOMENTS = 20
SEED = 20_261_122


def pipeline(marks: Path, *, lines: int = LINES, pause: float = 0) -> proto.UserPipelineConfig:
    """Two tasks in a row; each leaves a mark outside, so that whoever counts sees a second execution."""
    script = (
        f"echo $GOFER_RUN_ID/$GOFER_TASK_ID >> {marks}; i=0; "
        f'while [ $i -lt {lines} ]; do echo "line $i of $GOFER_TASK_ID"; i=$((i+1)); done; sleep $PAUSE; exit $CODE'
    )
    success = proto.UserPipelineTaskConfigRequiredParentStatus.ANY

    def task(name: str, code: int, *parents: str) -> proto.UserPipelineTaskConfig:
        return proto.UserPipelineTaskConfig(
            id=name,
            image="busybox:latest",
            command=["/bin/sh", "-c", script],
            variables={"CODE": str(code), "PAUSE": str(pause)},
            depends_on=dict.fromkeys(parents, success),
        )

    return proto.UserPipelineConfig(id="killed", name="Killed", tasks=[task("first", 3), task("second", 0, "first")])


async def deploy(client: GoferClient, config: proto.UserPipelineConfig) -> None:
    registered = await client.pipelines.register(config)
    await client.pipelines.deploy(config.id, registered.config.version)


async def assert_right_end(folder: Path, survivor: ServerProcess, *, runs: int = 1) -> None:
    """Every run ended as it should, all of its output is there, and each task was executed once."""
    async with survivor.client() as client:
        for number in range(1, runs + 1):
            run = await client.runs.wait("killed", number)
            assert run.status == proto.RunRunStatus.FAILED
            await assert_right_tasks(client, number)
    marks = sorted((folder / "marks").read_text().split())
    assert sorted(f"{number}/{task}" for number in range(1, runs + 1) for task in ("first", "second")) == marks


async def assert_right_tasks(client: GoferClient, number: int) -> None:
    codes = {found.id: found.exit_code async for found in client.task_runs.each("killed", number)}
    assert codes == {"first": 3, "second": 0}
    for task in codes:
        log = b"".join([chunk.data async for chunk in client.task_runs.logs("killed", number, task)])
        assert b"".join(b"line %d of %s\n" % (n, task.encode()) for n in range(LINES)) == log


async def assert_nothing_left(folder: Path) -> None:
    """A server that starts once more has removed every container; no process of ours is left."""
    async with server(folder, "process") as last:
        assert await last.terminate() == 0
    left = [path.name for path in (folder / "data" / "processes").glob("*/*") if path.is_dir()]
    assert left == []


async def kill_and_check(folder: Path, *options: str) -> None:
    config = pipeline(folder / "marks")
    async with server(folder, "process", *options) as victim:
        try:
            async with victim.client() as client:
                await deploy(client, config)
                await client.runs.start(config.id)
        except CallFailed:
            pass  # it died before the answer was sent: the run may be stored all the same
        assert await victim.dead() == -9
    async with server(folder, "process") as survivor:
        await assert_right_end(folder, survivor)
    await assert_nothing_left(folder)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_before_a_step_of_a_launch_loses_and_repeats_nothing(tmp_path: Path, step: str) -> None:
    await kill_and_check(tmp_path, "--step", step)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_kill_after_a_transition_loses_and_repeats_nothing(tmp_path: Path, kind: str) -> None:
    await kill_and_check(tmp_path, "--event", kind)


@pytest.mark.timeout(300)
async def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Each server gets a run and is killed while that one and those of its predecessors are under way."""
    moments = random.Random(SEED)
    config = pipeline(tmp_path / "marks", pause=0.2)
    async with server(tmp_path, "process") as first, first.client() as client:
        await deploy(client, config)
    for number in range(1, MOMENTS + 1):
        async with server(tmp_path, "process") as victim:
            async with victim.client() as client:
                started = await client.runs.start(config.id)
                assert started.run is not None
                assert started.run.id == number
                await asyncio.wait({asyncio.create_task(victim.dead())}, timeout=moments.random() * 0.6)
            await victim.kill()
    async with server(tmp_path, "process") as survivor:
        await assert_right_end(tmp_path, survivor, runs=MOMENTS)
    await assert_nothing_left(tmp_path)
