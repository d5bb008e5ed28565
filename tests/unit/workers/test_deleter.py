"""Pipelines that are deleted, also by one process after the other."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar

import pytest

from gofer.clock import SystemClock
from gofer.core.errors import FailedPrecondition, NotFound, PermissionDenied, ShuttingDown
from gofer.core.events import PipelineDeletionRequested, RunCompleted, TaskRunStarted
from gofer.core.run import RunState
from gofer.core.secret import Secret
from gofer.services.deletion import Deletion
from gofer.services.masks import NeededBlobs
from gofer.services.object_blobs import needed_content
from gofer.services.objects import PutObject
from gofer.services.pipelines import Pipelines
from gofer.services.runs import RetryRun, Target
from gofer.services.secrets import PutSecret
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.factories import KEY, run_key
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run
from tests.unit.workers.conftest import CALLER, World, container, next_event
from tests.unit.workers.deleting import (
    OBJECTS,
    STRANGER,
    TARGET,
    Deleting,
    HastyClock,
    content,
    make_deleting,
    make_namespace,
    make_pipelines,
)

T = TypeVar("T")


@pytest.fixture
def it(world: World) -> Deleting:
    return make_deleting(world)


async def test_everything_that_belongs_to_a_pipeline_goes_and_nothing_else(it: Deleting) -> None:
    await it.fill()
    await make_namespace(it)
    await make_pipelines(it, "simple")

    async with it.deleter():
        key, asked = await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)

    assert KEY == key
    assert {"pipelines": 1, "pipeline_configs": 1} == await it.left()
    assert ["PIPELINE_DELETION_REQUESTED", "PIPELINE_DELETED"] == (await it.kinds())[-2:]
    last = await it.world.database.read(lambda unit: unit.journal.last_id())
    assert last == asked + 1
    with pytest.raises(NotFound):
        await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)


async def test_runs_are_cancelled_and_waited_for(it: Deleting) -> None:
    await it.world.register(container("one", hold="true"), parallelism=1)
    with it.world.bus.subscribe(TaskRunStarted) as started:
        live = await it.world.start_run()
        await next_event(started, TaskRunStarted)
    queued = [await it.world.start_run() for _ in range(50)]

    with it.world.bus.subscribe(RunCompleted) as completed:
        async with it.deleter():
            await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)
        ended = [await anext(completed) for _ in (live, *queued)]

    assert {"CANCELLED"} == {each.event.status for each in ended if isinstance(each.event, RunCompleted)}
    assert {} == await it.left()
    assert [] == await it.world.owned()


async def test_a_pipeline_made_again_goes_on_with_its_run_numbers_and_has_nothing_of_the_old(it: Deleting) -> None:
    await it.fill(runs=3)
    async with it.deleter():
        await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)

    await it.world.register(container("one"))
    key = await it.world.start_run()
    await it.world.until_over(key)

    assert 4 == key.run
    assert () == await it.world.secrets.list(CALLER, TARGET)
    assert () == (await it.objects.list(CALLER, OBJECTS)).records
    with pytest.raises(NotFound):
        await it.world.runs.get(CALLER, replace(TARGET, run=1))


async def test_what_is_being_deleted_takes_no_new_work(it: Deleting) -> None:
    await it.fill()
    world = it.world
    pipelines = Pipelines(database=world.database, sealer=world.sealer, version_limit=0)
    draft = ConfigDraft(id=KEY.pipeline, name="Again", tasks=(TaskDraft(id="one", image="i"),))

    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)

    for work in (
        world.start_run(),
        world.runs.retry(CALLER, RetryRun(target=replace(TARGET, run=1))),
        pipelines.register(CALLER, "", draft),
        pipelines.deploy(CALLER, TARGET, 1),
        pipelines.enable(CALLER, TARGET),
        pipelines.delete_config(CALLER, TARGET, 1),
        world.secrets.put(CALLER, TARGET, PutSecret(key="new", value=Secret("hunter22"))),
        it.objects.put(CALLER, OBJECTS, PutObject(key="new"), content()),
        it.objects.put(CALLER, replace(OBJECTS, run=1), PutObject(key="new"), content()),
    ):
        with pytest.raises(FailedPrecondition, match="is being deleted"):
            await work
    assert (await pipelines.get(CALLER, TARGET, 1)).pipeline.deleting_at is not None
    assert 1 == (await it.kinds()).count("PIPELINE_DELETION_REQUESTED")


async def test_runs_are_cancelled_by_the_wish_itself(it: Deleting) -> None:
    await it.world.register(container("one", hold="true"))
    run = await it.world.start_run()

    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)

    (ended,) = await it.world.until_over(run)
    assert ended.state is RunState.CANCELLED


async def test_the_wish_itself_cancels_few_runs_where_each_takes_its_time(it: Deleting) -> None:
    """Fifty runs with large variables kept every other write waiting for a second and more."""
    await it.world.stop()
    await it.world.register(container("one", hold="true"))
    keys = [await it.world.start_run() for _ in range(3)]
    deletion = Deletion(database=it.world.database, bus=it.world.bus, clock=HastyClock())

    await deletion.delete_pipeline(CALLER, TARGET, wait=False)

    states = [(await it.world.run(key)).state for key in keys]
    assert [RunState.CANCELLED, RunState.PENDING, RunState.PENDING] == sorted(states)


async def test_only_who_may_and_only_what_is_there(it: Deleting) -> None:
    await it.world.register(container("one"))

    with pytest.raises(PermissionDenied):
        await it.deletion.delete_pipeline(STRANGER, TARGET, wait=False)
    with pytest.raises(NotFound):
        await it.deletion.delete_pipeline(CALLER, Target(namespace="", pipeline="nothing"), wait=False)

    assert "PIPELINE_DELETION_REQUESTED" not in await it.kinds()


async def test_all_who_ask_wait_for_the_same_end(it: Deleting) -> None:
    await it.fill()

    async with it.deleter():
        await asyncio.gather(*(it.deletion.delete_pipeline(CALLER, TARGET, wait=True) for _ in range(5)))

    assert 1 == (await it.kinds()).count("PIPELINE_DELETED")


async def test_who_waits_while_the_server_goes_away_is_told(it: Deleting) -> None:
    await it.world.register(container("one"))
    with it.world.bus.subscribe(PipelineDeletionRequested) as asked:
        waiting = asyncio.ensure_future(it.deletion.delete_pipeline(CALLER, TARGET, wait=True))
        await anext(asked)

    it.world.bus.close()

    with pytest.raises(ShuttingDown, match="next start"):
        await waiting


# ---------------------------------------------------------------- crashes


class Crash(Exception):
    """The process ends here."""


class Dying(Database[Unit]):
    """A database whose process dies right after so many commits, before it does anything else."""

    def __init__(self, database: Database[Unit], commits: int) -> None:
        self._database = database
        self._left = commits

    async def write(self, function: Callable[[Unit], T]) -> T:
        result = await self._database.write(function)
        self._left -= 1
        if self._left < 0:
            raise Crash
        return result

    async def read(self, function: Callable[[Unit], T]) -> T:
        return await self._database.read(function)


async def crashed(it: Deleting, *, after: int) -> bool:
    """Delete until the crash; tell whether there was one."""
    removal = it.removal(Dying(it.world.database, after), clock=HastyClock())
    try:
        while await removal.remove_some(KEY):
            pass
    except Crash:
        return True
    return False


async def sweep(it: Deleting) -> None:
    """Do what every start does with what no record names."""
    await it.world.blobs.sweep(NeededBlobs(database=it.world.database, instance=it.world.parts.instance))
    await it.blobs.sweep(needed_content(it.world.database))


async def test_wherever_a_crash_comes_the_next_start_goes_on(it: Deleting) -> None:
    for commits in range(50):
        await it.fill(runs=2)
        await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
        if not await crashed(it, after=commits):
            break

        # A new process knows no more than what is stored.
        await sweep(it)
        if await it.world.database.read(lambda unit: unit.pipelines.find(KEY)) is not None:
            async with it.deleter():
                await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)

        assert {} == await it.left()
        assert commits + 1 == (await it.kinds()).count("PIPELINE_DELETED")
    assert commits > 6
    assert {} == await it.left()


class UnhurriedClock(SystemClock):
    """One by which a piece has time for a few steps."""

    def __init__(self) -> None:
        self._looks = 0

    def monotonic(self) -> timedelta:
        self._looks += 1
        return self._looks * timedelta(milliseconds=1)


async def test_runs_go_one_by_one_also_behind_many_small_rows(it: Deleting) -> None:
    """Runs of half a megabyte went by the dozen where their task runs had gone quickly, and held the writer long."""
    await it.fill(runs=20)
    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
    removal = it.removal(clock=UnhurriedClock())

    left = [(await it.left())["runs"]]
    while await removal.remove_some(KEY):
        left.append((await it.left()).get("runs", 0))

    assert max(before - after for before, after in pairwise(left)) <= 5, "as many as looks at the clock"


async def test_a_piece_is_a_few_rows_where_they_take_their_time(it: Deleting) -> None:
    await it.fill(runs=10)
    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
    removal = it.removal(clock=HastyClock())

    left = [await it.left()]
    while await removal.remove_some(KEY):
        left.append(await it.left())

    for name in ("runs", "task_runs"):
        gone = [before.get(name, 0) - after.get(name, 0) for before, after in pairwise(left)]
        assert max(gone) == 1
        assert sum(gone) >= 10
    assert {} == await it.left()


async def test_a_container_that_a_crash_has_left_goes_with_its_pipeline(it: Deleting) -> None:
    await it.world.register(container("one", hold="true"))
    with it.world.bus.subscribe(TaskRunStarted) as started:
        await it.world.start_run()
        await next_event(started, TaskRunStarted)
    await it.world.stop()
    await it.world.execute("UPDATE task_runs SET state = 'FAILED', ended_at = 1")
    await it.world.execute("UPDATE runs SET state = 'FAILED', ended_at = 1")
    assert 1 == len(await it.world.owned())

    async with it.deleter():
        await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)

    assert [] == await it.world.owned()


async def test_a_log_that_is_still_written_is_waited_for(it: Deleting) -> None:
    await it.fill()
    log = run_key(1).task(next(iter(await it.world.tasks(run_key(1)))))
    async with it.deleter():
        async with it.world.logs.writer(log):
            await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
            with pytest.raises(FailedPrecondition, match="being written"):
                await it.removal().remove_some(KEY)
        await it.deletion.delete_pipeline(CALLER, TARGET, wait=True)

    assert {} == await it.left()


# ---------------------------------------------------------------- the worker


async def test_it_starts_and_stops_any_number_of_times(it: Deleting) -> None:
    await start_stop_stress(it.make_deleter, times=30)


async def test_cancelled_while_it_starts_it_leaves_nothing(it: Deleting) -> None:
    await cancel_during_start(it.make_deleter)


async def test_stopped_before_it_runs_it_returns(it: Deleting) -> None:
    await stop_before_run(it.make_deleter)
