"""What runs keep goes when they are so many runs old: their logs, and their objects."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.bus import Bus
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.events import Envelope
from gofer.core.ids import RunKey
from gofer.core.object_record import ObjectOwner, ObjectRecord
from gofer.core.output import LogChunk, LogStream
from gofer.core.pipeline import ConfigState
from gofer.core.run import RunState, TaskState
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.logs import LogStore
from gofer.services.object_blobs import ObjectBlobs, needed_content
from gofer.services.object_rules import ObjectLimits, ObjectTarget
from gofer.services.objects import Objects, PutObject
from gofer.services.pruning import PruneStep
from gofer.services.run_retention import ExpiredLogs, ExpiredRunObjects
from gofer.services.runs import Target
from gofer.services.task_runs import LogQuery, TaskRuns
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer.workers.pruner import PruneJob
from tests.factories import KEY, make_config, make_namespace, make_pipeline, make_run, make_task, make_task_run, run_key
from tests.fakes.clock import BEGINNING, FakeClock
from tests.unit.services.journal import kinds_of

KEEP = 2
TASKS = ("first", "second")


class Killed(BaseException):
    """As if the process ended here."""


def killing(at: PruneStep) -> Callable[[PruneStep], None]:
    """Give what ends the job where a step is done."""

    def observe(step: PruneStep) -> None:
        if step is at:
            raise Killed

    return observe


async def all_done(job: PruneJob, *, most: int = 1000) -> int:
    for pieces in range(most):
        if not await job.run_once():
            return pieces
    raise AssertionError("it never ends")


async def fill(database: Database[Unit], *states: RunState, tasks: tuple[str, ...] = TASKS) -> None:
    """Store a pipeline with runs from 1 on."""

    def write(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        unit.pipelines.insert(make_pipeline())
        unit.pipelines.insert_config(make_config(tasks=[make_task(task) for task in tasks], state=ConfigState.LIVE))
        for state in states:
            number = unit.runs.next_run_id(KEY)
            unit.runs.insert_run(make_run(number, state=state, admitted_at=BEGINNING))
            unit.runs.upsert_task_runs(
                make_task_run(
                    task,
                    run=number,
                    exit_code=0,
                    state=TaskState.SUCCEEDED if state.is_terminal else TaskState.RUNNING,
                )
                for task in tasks
            )

    await database.write(write)


# ---------------------------------------------------------------- logs


@pytest.fixture
def logs(tmp_path: Path) -> LogStore:
    return LogStore(tmp_path / "logs")


async def write_logs(logs: LogStore, *runs: int, tasks: tuple[str, ...] = TASKS) -> None:
    for run in runs:
        for task in tasks:
            async with logs.writer(make_task_run(task, run=run).key) as writer:
                await writer.append(LogChunk(stream=LogStream.STDOUT, data=b"a line\n"))


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "logs" / "default" / "simple").iterdir())


async def expired(database: Database[Unit], run: int) -> list[tuple[bool, bool]]:
    found = await database.read(lambda unit: unit.runs.all_task_runs(run_key(run)))
    return [(each.logs_expired, each.logs_removed) for each in found.values()]


async def test_logs_of_runs_that_are_old_enough_go_and_of_no_others(
    database: Database[Unit], logs: LogStore, tmp_path: Path
) -> None:
    await fill(database, RunState.SUCCEEDED, RunState.FAILED, RunState.RUNNING, RunState.CANCELLED, RunState.SUCCEEDED)
    await write_logs(logs, 1, 2, 3, 4, 5)
    steps: list[PruneStep] = []
    job = ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP, observe=steps.append)

    await all_done(job)

    assert ["3", "4", "5"] == files(tmp_path), "run 3 has not ended"
    assert [(True, True)] * 2 == await expired(database, 1)
    assert [(False, False)] * 2 == await expired(database, 3)
    assert [PruneStep.LOG_FILES, PruneStep.LOGS] == steps


async def test_who_asks_for_an_expired_log_is_told_so(
    database: Database[Unit], bus: Bus[Envelope], caller: Caller, logs: LogStore
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 3)
    await write_logs(logs, 1, 2, 3)
    await all_done(ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP))
    task_runs = TaskRuns(database=database, bus=bus, logs=logs)

    with pytest.raises(FailedPrecondition, match="have expired"):
        await anext(task_runs.logs(caller, Target(namespace="", pipeline="simple", run=1, task="first"), LogQuery()))


async def test_who_reads_a_log_that_expires_is_told_that_it_is_gone(database: Database[Unit], logs: LogStore) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 3)
    await write_logs(logs, 1)

    with logs.following(make_task_run("first").key) as follower:
        blocks = follower.blocks()
        await anext(blocks)
        await all_done(ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP))
        with pytest.raises(NotFound, match="gone"):
            await anext(blocks)


@pytest.mark.parametrize("step", [PruneStep.LOG_FILES, PruneStep.LOGS])
async def test_what_a_crash_leaves_of_expired_logs_is_done_by_the_next_pass(
    step: PruneStep, database: Database[Unit], logs: LogStore, tmp_path: Path
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 4)
    await write_logs(logs, 1, 2, 3, 4)
    with pytest.raises(Killed):
        await ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP, observe=killing(step)).run_once()

    await all_done(ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP))

    assert ["3", "4"] == files(tmp_path)
    assert [[(True, True)] * 2] * 2 + [[(False, False)] * 2] * 2 == [await expired(database, n) for n in (1, 2, 3, 4)]


async def test_a_log_that_is_being_written_waits_for_another_pass_and_holds_up_no_other(
    database: Database[Unit], logs: LogStore, tmp_path: Path
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 4)
    await write_logs(logs, 1, 2)
    job = ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP)

    async with logs.writer(make_task_run("first").key):
        await all_done(job)
        assert ["1"] == files(tmp_path)
        assert [(False, False), (True, True)] == await expired(database, 1)
    await all_done(job)

    assert [(True, True)] * 2 == await expired(database, 1)
    assert not (tmp_path / "logs" / "default").exists()


async def test_a_log_that_can_not_be_removed_holds_up_no_other(
    database: Database[Unit], logs: LogStore, tmp_path: Path
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 4)
    await write_logs(logs, 2)
    in_the_way = logs.path(make_task_run("first").key)
    in_the_way.mkdir(parents=True)  # no file
    job = ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP)

    await all_done(job)

    assert ["1"] == files(tmp_path)
    assert [(True, True)] * 2 == await expired(database, 2)
    in_the_way.rmdir()
    await all_done(job)
    assert [(True, True)] * 2 == await expired(database, 1)


async def test_a_run_of_many_tasks_is_done_in_pieces(database: Database[Unit], logs: LogStore) -> None:
    tasks = tuple(f"task_{number}" for number in range(250))
    await fill(database, *[RunState.SUCCEEDED] * 4, tasks=tasks)

    pieces = await all_done(ExpiredLogs(database=database, logs=logs, clock=FakeClock(), keep=KEEP))

    assert 3 <= pieces <= 5
    assert [(True, True)] * 250 == await expired(database, 2)
    assert [(False, False)] * 250 == await expired(database, 3)


class HastyClock(FakeClock):
    """Each look at it takes longer than a piece may."""

    def monotonic(self) -> timedelta:
        self._now += timedelta(seconds=1)
        return super().monotonic()


async def test_a_piece_marks_no_more_runs_than_its_time_allows_and_the_next_goes_on(
    database: Database[Unit], logs: LogStore, tmp_path: Path
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 5)
    await write_logs(logs, 1, 2, 3, 4, 5)

    pieces = await all_done(ExpiredLogs(database=database, logs=logs, clock=HastyClock(), keep=KEEP))

    assert 3 == pieces
    assert ["4", "5"] == files(tmp_path)
    assert [[(True, True)] * 2] * 3 == [await expired(database, run) for run in (1, 2, 3)]


# ---------------------------------------------------------------- objects


@pytest.fixture
async def blobs(database: Database[Unit]) -> AsyncIterator[ObjectBlobs]:
    instance = await database.read(lambda unit: unit.meta.instance_id())
    async with MemoryObjectStore() as store:
        yield ObjectBlobs(engine=store, instance=instance)


async def once(content: bytes) -> AsyncIterable[bytes]:
    yield content


def owner(run: int) -> ObjectOwner:
    return ObjectOwner(pipeline=KEY, run=run_key(run).run)


async def put_objects(database: Database[Unit], blobs: ObjectBlobs, run: int, count: int) -> None:
    for number in range(count):
        kept = await blobs.put(once(b"x"))
        record = ObjectRecord(key=f"key {number}", blob=kept.blob, size_bytes=1, created_at=BEGINNING)
        await database.write(lambda unit, record=record: unit.objects.put(owner(run), record))  # type: ignore[misc]


async def left(database: Database[Unit], run: int) -> int:
    return await database.read(lambda unit: unit.objects.count(owner(run)))


async def is_marked(database: Database[Unit], key: RunKey) -> bool:
    return await database.read(lambda unit: unit.runs.get_run(key).objects_expired)


async def test_objects_of_runs_that_are_old_enough_go_and_this_is_told_of_each(
    database: Database[Unit], blobs: ObjectBlobs
) -> None:
    await fill(database, RunState.SUCCEEDED, RunState.FAILED, RunState.RUNNING, RunState.SUCCEEDED, RunState.SUCCEEDED)
    for run, count in ((1, 130), (3, 2), (5, 2)):
        await put_objects(database, blobs, run, count)

    job = ExpiredRunObjects(database=database, blobs=blobs, clock=FakeClock(), keep=KEEP)
    await all_done(job)
    await all_done(job)

    assert [0, 2, 2] == [await left(database, run) for run in (1, 3, 5)]
    assert [True, True, False, False] == [await is_marked(database, run_key(run)) for run in (1, 2, 3, 4)]
    assert 4 == len(await blobs.all())
    assert 2 == (await kinds_of(database)).count("RUN_OBJECTS_EXPIRED"), "also of the run that had none"


@pytest.mark.parametrize("step", [PruneStep.RUN_OBJECT_ROWS, PruneStep.RUN_OBJECTS])
async def test_what_a_crash_leaves_of_expired_objects_is_gone_after_the_next_start(
    step: PruneStep, database: Database[Unit], blobs: ObjectBlobs
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 3)
    for run in (1, 2):
        await put_objects(database, blobs, run, 3)
    killed = ExpiredRunObjects(database=database, blobs=blobs, clock=FakeClock(), keep=KEEP, observe=killing(step))
    with pytest.raises(Killed):
        await killed.run_once()

    await blobs.sweep(needed_content(database))  # as each start does
    await all_done(ExpiredRunObjects(database=database, blobs=blobs, clock=FakeClock(), keep=KEEP))

    assert [0, 3] == [await left(database, run) for run in (1, 2)]
    assert 3 == len(await blobs.all())
    assert 1 == (await kinds_of(database)).count("RUN_OBJECTS_EXPIRED")


async def test_objects_that_are_gone_do_not_come_back_when_the_settings_change(
    database: Database[Unit], blobs: ObjectBlobs, caller: Caller
) -> None:
    await fill(database, *[RunState.SUCCEEDED] * 3)
    await all_done(ExpiredRunObjects(database=database, blobs=blobs, clock=FakeClock(), keep=KEEP))
    limits = ObjectLimits(pipeline_objects=9, run_expiry=50, size_bytes=1000)
    objects = Objects(database=database, blobs=blobs, limits=limits)
    target = ObjectTarget(namespace="", pipeline="simple", run=1)

    with pytest.raises(FailedPrecondition, match="are gone"):
        await objects.put(caller, target, PutObject(key="late"), once(b"x"))

    assert () == await blobs.all()
