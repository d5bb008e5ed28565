"""Pipelines and namespaces that are deleted, also by one process after the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar

import pytest

from gofer.clock import SystemClock
from gofer.core.access import Caller, NamespacePattern, Token, TokenId, TokenKind
from gofer.core.errors import FailedPrecondition, NotFound, PermissionDenied, ShuttingDown
from gofer.core.events import PipelineDeletionRequested, RunCompleted, TaskRunStarted
from gofer.core.ids import EventId, NamespaceId, PipelineId
from gofer.core.pipeline import ConfigState
from gofer.core.secret import Secret
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.lifecycle import running
from gofer.sealing import hash_token
from gofer.services.deletion import Deletion
from gofer.services.global_secrets import GlobalSecrets
from gofer.services.masks import NeededBlobs
from gofer.services.namespaces import NamespaceDraft, Namespaces
from gofer.services.object_blobs import ObjectBlobs, needed_content
from gofer.services.object_rules import ObjectLimits, ObjectTarget
from gofer.services.objects import Objects, PutObject
from gofer.services.pipelines import Pipelines
from gofer.services.removal import Removal
from gofer.services.runs import RetryRun, Target
from gofer.services.secrets import PutSecret
from gofer.services.tokens import TokenDraft, Tokens
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer.workers.deleter import Deleter
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.factories import KEY, make_config, make_deployment, make_pipeline, run_key
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run
from tests.unit.workers.conftest import CALLER, World, container, next_event

T = TypeVar("T")

GRACE = timedelta(seconds=5)
TARGET = Target(namespace="", pipeline=KEY.pipeline)
OBJECTS = ObjectTarget(namespace="", pipeline=KEY.pipeline)
TEAM = NamespaceId("team")
STRANGER = Caller(name="stranger", is_admin=False)


class HastyClock(SystemClock):
    """A clock by which every moment is late."""

    def __init__(self) -> None:
        self._seconds = 0

    def monotonic(self) -> timedelta:
        self._seconds += 1
        return timedelta(seconds=self._seconds)


@dataclass
class Deleting:
    """A server that can delete, and what it deletes from."""

    world: World
    objects: Objects
    blobs: ObjectBlobs
    deletion: Deletion

    @asynccontextmanager
    async def deleter(self) -> AsyncIterator[Deleter]:
        made = self.make_deleter()
        async with running(made, grace=GRACE):
            yield made

    def make_deleter(self) -> Deleter:
        return Deleter(bus=self.world.bus, removal=self.removal(), parts=self.world.parts)

    def removal(self, database: Database[Unit] | None = None, *, clock: SystemClock | None = None) -> Removal:
        world = self.world
        return Removal(
            database=database or world.database,
            logs=world.logs,
            objects=self.blobs,
            secrets=world.blobs,
            clock=clock or SystemClock(),
        )

    async def fill(self, *, runs: int = 3) -> None:
        """Make a pipeline that has something of everything."""
        world = self.world
        await world.register(container("one", log="words"), container("two", needs=["one"]))
        keys = [await world.start_run() for _ in range(runs)]
        await world.until_over(*keys)
        await world.secrets.put(CALLER, TARGET, PutSecret(key="db", value=Secret("hunter22")))
        for run in (None, *(key.run for key in keys[-2:])):
            await self.objects.put(CALLER, replace(OBJECTS, run=run), PutObject(key="key"), content())
        await world.database.write(lambda unit: unit.pipelines.insert_deployment(make_deployment()))
        await world.until_nothing_is_left()

    async def left(self) -> dict[str, int]:
        """Count what is left of any pipeline: rows, files and blobs."""
        tables = ("pipelines", "pipeline_configs", "deployments", "runs", "task_runs", "objects", "pipeline_secrets")

        def count(unit: Unit) -> dict[str, int]:
            connection = unit.runs._connection  # noqa: SLF001 - behind everybody's back
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
                for table in tables
            }

        counts = await self.world.database.read(count)
        root = self.world.logs._root  # noqa: SLF001 - as above
        counts["files"] = len(list(root.rglob("*")))
        counts["blobs"] = len(await self.world.blobs.all())
        counts["content"] = len(self.blobs._engine._blobs)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        return {name: number for name, number in counts.items() if number}

    async def kinds(self) -> list[str]:
        events = await self.world.database.read(lambda unit: unit.journal.list(EventId(0), 10_000))
        return [each.event.kind for each in events]


async def content() -> AsyncIterator[bytes]:
    yield b"content"


@pytest.fixture
async def it(world: World) -> Deleting:
    blobs = ObjectBlobs(engine=MemoryObjectStore(), instance=world.parts.instance)
    limits = ObjectLimits(pipeline_objects=10, run_expiry=10, size_bytes=1000)
    return Deleting(
        world=world,
        objects=Objects(database=world.database, blobs=blobs, limits=limits),
        blobs=blobs,
        deletion=Deletion(database=world.database, bus=world.bus),
    )


async def make_namespace(it: Deleting, name: str = TEAM) -> None:
    await Namespaces(database=it.world.database).create(CALLER, NamespaceDraft(id=name, name=name, description=""))


async def make_pipelines(it: Deleting, *names: str) -> None:
    def write(unit: Unit) -> None:
        for name in names:
            pipeline = PipelineId(name)
            unit.pipelines.insert(make_pipeline(namespace=TEAM, id=pipeline))
            unit.pipelines.insert_config(make_config(namespace=TEAM, pipeline=pipeline, state=ConfigState.LIVE))

    await it.world.database.write(write)


# ---------------------------------------------------------------- a pipeline


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
    removal = it.removal(Dying(it.world.database, after))
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


async def test_a_piece_is_a_few_rows_where_they_take_their_time(it: Deleting) -> None:
    await it.fill(runs=30)
    await it.deletion.delete_pipeline(CALLER, TARGET, wait=False)
    removal = it.removal(clock=HastyClock())

    left = [await it.left()]
    while await removal.remove_some(KEY):
        left.append(await it.left())

    for name in ("runs", "task_runs"):
        gone = [before.get(name, 0) - after.get(name, 0) for before, after in pairwise(left)]
        assert max(gone) <= 20
        assert sum(gone) >= 20
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


# ---------------------------------------------------------------- a namespace


async def test_a_namespace_goes_with_all_its_pipelines_and_no_other(it: Deleting) -> None:
    await make_namespace(it)
    await make_namespace(it, "team_b")
    await make_pipelines(it, "first", "second")
    await it.world.register(container("one"))

    async with it.deleter():
        await it.deletion.delete_namespace(CALLER, TEAM, wait=True)

    assert ["default", "team_b"] == await namespaces(it)
    assert {"pipelines": 1, "pipeline_configs": 1} == await it.left()
    assert ["PIPELINE_DELETED", "PIPELINE_DELETED", "NAMESPACE_DELETED"] == (await it.kinds())[-3:]


async def namespaces(it: Deleting) -> list[str]:
    def read(unit: Unit) -> list[str]:
        rows = unit.runs._connection.execute("SELECT id FROM namespaces ORDER BY id")  # noqa: SLF001 - as above
        return [row["id"] for row in rows]

    return await it.world.database.read(read)


async def test_a_namespace_made_again_is_closed_to_who_was_let_into_the_old_one(it: Deleting) -> None:
    await make_namespace(it)
    secrets = GlobalSecrets(database=it.world.database, blobs=it.world.blobs)
    for key, patterns in (("both", ("team", "default")), ("only", ("team",)), ("glob", ("te*",))):
        await secrets.put(CALLER, PutSecret(key=key, value=Secret("hunter22")), patterns)
        await store_token(it, key, *patterns)

    async with it.deleter():
        await it.deletion.delete_namespace(CALLER, TEAM, wait=True)

    expected = {"both": ["default"], "only": [], "glob": ["te*"]}
    stored = await secrets.list(CALLER)
    assert expected == {each.key: [pattern.text for pattern in each.namespaces] for each in stored}
    tokens = {each.id: each for _, each in await it.world.database.read(lambda unit: unit.tokens.list_after(0))}
    assert expected == {key: [pattern.text for pattern in tokens[TokenId(key)].namespaces] for key in expected}
    assert not tokens[TokenId("both")].caller(is_local=True).allows(TEAM)


async def store_token(it: Deleting, name: str, *patterns: str) -> None:
    def write(unit: Unit) -> None:
        token = Token(
            id=TokenId(name),
            kind=TokenKind.CLIENT,
            namespaces=tuple(map(NamespacePattern, patterns)),
            created_at=unit.now,
            expires_at=None,
        )
        unit.tokens.insert(token, hash_token(name))

    await it.world.database.write(write)


async def test_a_namespace_that_is_being_deleted_takes_nothing_new(it: Deleting) -> None:
    await make_namespace(it)
    await make_pipelines(it, "first")
    spaces = Namespaces(database=it.world.database)
    draft = NamespaceDraft(id=TEAM, name="Team", description="")
    pipelines = Pipelines(database=it.world.database, sealer=it.world.sealer, version_limit=0)
    config = ConfigDraft(id="new", name="New", tasks=(TaskDraft(id="one", image="i"),))
    token = TokenDraft(kind=TokenKind.CLIENT, namespaces=(TEAM,), metadata={}, life="1h")

    await it.deletion.delete_namespace(CALLER, TEAM, wait=False)

    for work in (
        spaces.create(CALLER, draft),
        spaces.update(CALLER, draft),
        pipelines.register(CALLER, TEAM, config),
        pipelines.deploy(CALLER, Target(namespace=TEAM, pipeline="first"), 1),
        Tokens(database=it.world.database).create(CALLER, token),
    ):
        with pytest.raises(FailedPrecondition, match="is being deleted"):
            await work


async def test_the_default_namespace_stays_and_only_an_admin_may_ask(it: Deleting) -> None:
    await make_namespace(it)

    with pytest.raises(FailedPrecondition, match="can't be deleted"):
        await it.deletion.delete_namespace(CALLER, "default", wait=False)
    with pytest.raises(NotFound):
        await it.deletion.delete_namespace(CALLER, "nothing", wait=False)
    with pytest.raises(PermissionDenied):
        await it.deletion.delete_namespace(STRANGER, TEAM, wait=False)

    assert ["default", "team"] == await namespaces(it)


# ---------------------------------------------------------------- the worker


async def test_it_starts_and_stops_any_number_of_times(it: Deleting) -> None:
    await start_stop_stress(it.make_deleter, times=30)


async def test_cancelled_while_it_starts_it_leaves_nothing(it: Deleting) -> None:
    await cancel_during_start(it.make_deleter)


async def test_stopped_before_it_runs_it_returns(it: Deleting) -> None:
    await stop_before_run(it.make_deleter)
