"""Versions whose tasks can't be read any more: what can be shown is shown and says so, and nothing is INTERNAL."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import App
from gofer_sdk._proto import proto
from tests.service.wire import deploy, ended, register, start, task, up

DAMAGED = [
    "[",
    "null",
    '[{"id":"hello"}]',
    (
        '[{"id":"hello","description":7,"image":"x","registry_auth":null,"depends_on":{},"variables":{},'
        '"entrypoint":[],"command":[],"inject_api_token":false}]'
    ),
]
WORDS = "its tasks are not stored as they were given"


async def damage(app: App, tasks: str, *, version: int) -> None:
    """Change the stored tasks of a version, as a fault of the disk or another program does."""

    def change() -> None:
        with closing(sqlite3.connect(app.settings.server.storage_path, isolation_level=None)) as other:
            other.execute("UPDATE pipeline_configs SET tasks = ? WHERE version = ?", (tasks, version))

    await asyncio.to_thread(change)


async def versions(stub: proto.GoferStub) -> dict[int, tuple[list[str], str]]:
    found = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))
    return {each.version: (list(each.tasks), each.damage) for each in found.configs}


@pytest.mark.parametrize("tasks", DAMAGED)
async def test_a_list_of_versions_shows_all_and_marks_the_one_that_cant_be_read(
    app: App, stub: proto.GoferStub, tasks: str
) -> None:
    for _ in range(3):
        await register(stub)

    await damage(app, tasks, version=2)

    assert await versions(stub) == {3: (["hello"], ""), 2: ([], WORDS), 1: (["hello"], "")}


async def test_a_version_that_cant_be_read_is_shown_and_deleted_but_not_deployed(
    app: App, stub: proto.GoferStub
) -> None:
    await up(stub)
    await register(stub)
    await damage(app, "[", version=2)

    found = await stub.get_pipeline_config(proto.GetPipelineConfigRequest(pipeline_id="simple", version=2))
    with pytest.raises(GRPCError) as refused:
        await deploy(stub, 2)
    await stub.delete_pipeline_config(proto.DeletePipelineConfigRequest(pipeline_id="simple", version=2))

    assert found.config is not None
    assert (found.config.version, found.config.name, found.config.damage) == (2, "Simple", WORDS)
    assert refused.value.status is Status.FAILED_PRECONDITION
    assert f"can't be deployed, {WORDS}: register it again" in (refused.value.message or "")
    assert await versions(stub) == {1: (["hello"], "")}


async def test_a_live_version_that_cant_be_read_is_shown_and_replaced(app: App, stub: proto.GoferStub) -> None:
    await up(stub)
    await damage(app, "[", version=1)

    shown = (await stub.get_pipeline(proto.GetPipelineRequest(id="simple"))).pipeline
    failed = await ended(stub, await start(stub))
    await up(stub)
    good = await ended(stub, await start(stub))

    assert shown is not None
    assert shown.config is not None
    assert shown.config.damage == WORDS
    assert (failed.status, good.status) == (proto.RunRunStatus.FAILED, proto.RunRunStatus.SUCCESSFUL)
    assert failed.status_reason is not None
    assert WORDS in failed.status_reason.description


async def test_task_runs_of_a_version_that_cant_be_read_are_shown_and_marked(app: App, stub: proto.GoferStub) -> None:
    await up(stub, task("first", variables={"GOFER_MEMORY_LOG": "a line"}), task("second", "first"))
    run = await ended(stub, await start(stub))
    await damage(app, "[", version=1)

    listed = (await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=run.id))).task_runs
    one = (await stub.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=run.id, id="first"))).task_run
    query = proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=run.id, id="first")
    log = [line.log_line async for line in stub.get_task_run_logs(query)]

    words = f"version 1 of its pipeline can't be read, {WORDS}"
    assert {each.id: (each.substate, each.damage) for each in listed} == {
        "first": ("SUCCEEDED", words),
        "second": ("SUCCEEDED", words),
    }
    assert one is not None
    assert one.task == proto.Task(id="first")
    assert log == ["a line"]


async def test_a_task_that_its_version_does_not_have_is_shown_and_marked(app: App, stub: proto.GoferStub) -> None:
    await up(stub, task("first"), task("second", "first"))
    run = await ended(stub, await start(stub))
    await damage(app, "[]", version=1)

    listed = (await stub.list_task_runs(proto.ListTaskRunsRequest(pipeline_id="simple", run_id=run.id))).task_runs

    assert {each.id: each.damage for each in listed} == dict.fromkeys(
        ("first", "second"), "its version has no such task"
    )


async def test_a_run_that_never_began_of_a_version_that_cant_be_read_has_no_log_and_says_why(
    app: App, stub: proto.GoferStub
) -> None:
    await up(stub)
    await damage(app, "[", version=1)
    run = await ended(stub, await start(stub))

    with pytest.raises(GRPCError) as refused:
        async for _ in stub.get_task_run_logs(
            proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=run.id, id="hello")
        ):
            pass

    assert refused.value.status is Status.FAILED_PRECONDITION
    assert WORDS in (refused.value.message or "")


async def test_what_is_given_is_never_the_same_as_a_version_that_cant_be_read(app: App, stub: proto.GoferStub) -> None:
    await up(stub)
    await damage(app, "[", version=1)
    config = proto.UserPipelineConfig(id="simple", name="Simple", tasks=[task("hello")])

    planned = await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(pipeline_config=config, dry_run=True)
    )

    assert not planned.same
