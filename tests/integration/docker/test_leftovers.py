"""The prune job on the real daemon: only what is ours and left over goes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gofer.clock import SystemClock
from gofer.core.ids import AttemptId, TaskRunKey
from gofer.core.pipeline import ConfigState
from gofer.core.run import RunState, TaskState
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.docker import DockerEngine
from gofer.services.progress import RunProgress
from gofer.sqlite import Database, open_database
from gofer.storage.unit import Unit
from gofer.workers.leftovers import LeftoverContainers
from tests.factories import NOW, make_config, make_namespace, make_pipeline, make_run, make_task_run
from tests.integration.docker.attempts import IMAGE, Attempts, docker_engine, raw_docker

pytestmark = pytest.mark.docker

HELD, ENDED = 1, 2


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database[Unit]]:
    """A live run and one that has ended, both on Docker."""

    def write(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        unit.pipelines.insert(make_pipeline())
        unit.pipelines.insert_config(make_config(state=ConfigState.LIVE))
        for run, of_run, of_task in (
            (HELD, RunState.RUNNING, TaskState.RUNNING),
            (ENDED, RunState.FAILED, TaskState.FAILED),
        ):
            unit.runs.insert_run(make_run(run, state=of_run, admitted_at=NOW))
            unit.runs.upsert_task_runs([make_task_run(run=run, state=of_task, attempt=1, engine="docker")])

    migrations = "gofer.storage.migrations"
    path = tmp_path / "data" / "gofer.db"
    async with open_database(path, migrations=migrations, make_unit=Unit, clock=SystemClock()) as opened:
        await opened.write(write)
        yield opened


def key_of(run: int) -> TaskRunKey:
    return make_task_run(run=run).key


def always(engine: DockerEngine) -> Callable[[str], Awaitable[SchedulerEngine]]:
    async def give(_name: str) -> SchedulerEngine:
        return engine

    return give


async def test_only_a_container_of_ours_whose_task_run_has_ended_goes(database: Database[Unit]) -> None:
    ours = Attempts(instance=await database.read(lambda unit: unit.meta.instance_id()))
    others = Attempts()
    async with docker_engine(ours) as engine, docker_engine(others) as another, raw_docker() as docker:
        for attempts, made_by, run in ((ours, engine, HELD), (ours, engine, ENDED), (others, another, ENDED)):
            attempt = AttemptId(key=key_of(run), number=1, instance=attempts.instance)
            await made_by.create(replace(attempts.shell("true"), attempt=attempt))
        foreign = await docker.post("containers/create", {"Image": IMAGE, "Cmd": ["true"]})
        try:
            job = LeftoverContainers(
                engine_of=always(engine),
                wanted=lambda name: name == "docker",
                progress=RunProgress(database=database, engine="docker"),
                instance=ours.instance,
            )

            assert not await job.run_once()

            assert [key_of(HELD)] == [each.attempt.key async for each in engine.owned(ours.instance)]
            assert [key_of(ENDED)] == [each.attempt.key async for each in another.owned(others.instance)]
            assert "Id" in await docker.get(f"containers/{foreign['Id']}/json")
        finally:
            await docker.delete(f"containers/{foreign['Id']}", force="1")
