"""Rows that are not what was written: one broken run ends in words and keeps neither others nor the server."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gofer.core.events import TaskRunStarted
from gofer.core.ids import RunKey
from gofer.core.run import RunState
from tests.unit.workers.conftest import World, container, next_event


async def started(world: World) -> RunKey:
    """Start a run and wait until its first task runs."""
    with world.bus.subscribe(TaskRunStarted) as changes:
        key = await world.start_run()
        await next_event(changes, TaskRunStarted)
    return key


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET initiator_type = 'NOBODY' WHERE id = 1",
        "UPDATE runs SET variables = '{' WHERE id = 1",
        "UPDATE runs SET reason_code = 'no such reason' WHERE id = 1",
        "UPDATE task_runs SET reason_code = 'no such reason' WHERE run = 1",
    ],
)
@pytest.mark.parametrize("queued", [False, True])
async def test_a_broken_row_keeps_no_server_from_starting(world: World, statement: str, *, queued: bool) -> None:
    await world.register(container("hold", hold="true"), parallelism=0)
    if queued:
        await world.stop()
        await world.start_run()
    else:
        await started(world)
        await world.stop()
    await world.execute(statement)

    await world.start()
    key = await world.start_run(GOFER_MEMORY_HOLD="false")
    (run,) = await world.until_over(key)

    assert run.state is RunState.SUCCEEDED


@pytest.mark.parametrize("variables", ["{", "[]", '{"a":1}', "[" * 100_000])
@pytest.mark.parametrize("queued", [False, True])
async def test_a_run_whose_variables_cant_be_read_fails_in_words_and_lets_the_next_one_go(
    world: World, variables: str, *, queued: bool
) -> None:
    """It was tried again for ever, and held the one place that its pipeline has."""
    await world.register(container("hold", hold="true"), parallelism=1)
    if queued:
        await world.stop()
        broken = await world.start_run()
    else:
        broken = await started(world)
        await world.stop()
    await world.execute("UPDATE runs SET variables = ? WHERE id = 1", variables)

    await world.start()
    after = await world.start_run(GOFER_MEMORY_HOLD="false")
    (failed, run) = await world.until_over(broken, after)

    assert (failed.state, run.state) == (RunState.FAILED, RunState.SUCCEEDED)
    assert failed.reason is not None
    assert "its variables are not stored as they were given: start another" in failed.reason.description
    assert await world.owned() == []
    assert world.parts.troubles.notes() == ()


async def test_a_run_whose_version_is_gone_fails_in_words_and_lets_the_next_one_go(
    world: World, tmp_path: Path
) -> None:
    """Its actor ended, the run did not, and nobody looked after it any more."""
    await world.register(container("hello"), parallelism=1)
    await world.stop()
    broken = await world.start_run()
    with closing(sqlite3.connect(tmp_path / "data" / "gofer.db", isolation_level=None)) as other:
        other.execute("UPDATE runs SET version = 7")

    await world.start()
    after = await world.start_run()
    (failed, run) = await world.until_over(broken, after)

    assert (failed.state, run.state) == (RunState.FAILED, RunState.SUCCEEDED)


@pytest.mark.parametrize("tasks", ["[", '[{"id":"hold","image":"x","depends_on":{"nobody":"SUCCESS"}}]'])
@pytest.mark.parametrize("queued", [False, True])
async def test_a_run_whose_config_is_broken_fails_and_lets_go(world: World, tasks: str, *, queued: bool) -> None:
    await world.register(container("hold", hold="true"), parallelism=1)
    if queued:
        await world.stop()
        key = await world.start_run()
    else:
        key = await started(world)
        await world.stop()
    await world.execute("UPDATE pipeline_configs SET tasks = ?", tasks)

    await world.start()
    (run,) = await world.until_over(key)

    assert run.state is RunState.FAILED
    assert await world.owned() == []
