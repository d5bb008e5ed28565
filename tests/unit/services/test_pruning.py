"""What is too old or one too many goes, in small pieces; what is not stays."""

import sqlite3
from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta

import pytest

from gofer.core.access import NamespacePattern, Token, TokenHash, TokenId, TokenKind
from gofer.core.events import NamespaceCreated
from gofer.core.ids import EventId, NamespaceId, PipelineId, PipelineKey, Version
from gofer.core.object_record import ObjectOwner, ObjectRecord
from gofer.core.pipeline import ConfigState
from gofer.core.run import RunState
from gofer.engines.object_store.memory import MemoryObjectStore
from gofer.services.object_blobs import ObjectBlobs
from gofer.services.pruning import (
    AgedRows,
    ExpiredTokens,
    OldEvents,
    OldRequestIds,
    PruneStep,
    SurplusObjects,
    SurplusVersions,
)
from gofer.sqlite import Database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from gofer.workers.pruner import PruneJob
from tests.factories import KEY, NAMESPACE, make_config, make_namespace, make_pipeline, make_run, run_key
from tests.fakes.clock import BEGINNING, FakeClock
from tests.unit.services.journal import kinds_of

DAY = timedelta(days=1)
OWNER = ObjectOwner(pipeline=KEY)


class TickingClock(FakeClock):
    """Each look at it takes a moment, so that a hold ends after a few steps."""

    def monotonic(self) -> timedelta:
        self._now += timedelta(milliseconds=3)
        return super().monotonic()


@pytest.fixture
def clock() -> FakeClock:
    return TickingClock()


async def all_done(job: PruneJob, *, most: int = 1000) -> int:
    """Run a job until nothing is left; give the number of its pieces."""
    for pieces in range(most):
        if not await job.run_once():
            return pieces
    raise AssertionError("it never ends")


async def fill(database: Database[Unit], *pipelines: str, versions: int = 1) -> None:
    def write(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        for name in pipelines or (KEY.pipeline,):
            unit.pipelines.insert(make_pipeline(name))
            for version in range(1, versions + 1):
                state = ConfigState.LIVE if version == 1 else ConfigState.UNRELEASED
                unit.pipelines.insert_config(make_config(version, pipeline=PipelineId(name), state=state))

    await database.write(write)


async def versions_of(database: Database[Unit], pipeline: str = KEY.pipeline) -> list[int]:
    key = PipelineKey(namespace=NAMESPACE, pipeline=PipelineId(pipeline))
    found = await database.read(lambda unit: unit.pipelines.list_configs(key, Page()))
    return [config.version for config in found.items]


# ---------------------------------------------------------------- by age


async def append_events(database: Database[Unit], days: list[int], *, of_each: int = 1) -> None:
    """Store events that are so many days old."""

    def write(unit: Unit) -> None:
        for age in days:
            for _ in range(of_each):
                unit.journal.append(NamespaceCreated(namespace_id=NamespaceId("default")), BEGINNING - age * DAY)

    await database.write(write)


async def test_events_beyond_their_retention_go_and_the_others_stay(database: Database[Unit]) -> None:
    await append_events(database, [9, 8, 7, 6, 1])
    steps: list[PruneStep] = []
    job = OldEvents(database=database, clock=FakeClock(), keep=7 * DAY, observe=steps.append)

    await all_done(job)
    await all_done(job)

    left = await database.read(lambda unit: unit.journal.list(EventId(0), 10))
    assert [3, 4, 5] == [envelope.id for envelope in left]
    assert [PruneStep.EVENTS] == steps


async def test_ids_rise_and_are_known_also_when_all_events_went(database: Database[Unit]) -> None:
    await append_events(database, [9, 9])
    await all_done(OldEvents(database=database, clock=FakeClock(), keep=DAY))

    assert 2 == await database.read(lambda unit: unit.journal.last_id())


async def test_a_piece_holds_the_writer_for_a_few_steps_only(database: Database[Unit], clock: FakeClock) -> None:
    await append_events(database, [9], of_each=1000)
    job = OldEvents(database=database, clock=clock, keep=DAY)

    assert await job.run_once()

    left = await database.read(lambda unit: len(unit.journal.list(EventId(0), 2000)))
    assert 800 == left
    assert 4 <= await all_done(job) <= 5


async def test_tokens_go_some_time_after_they_have_expired(database: Database[Unit]) -> None:
    def write(unit: Unit) -> None:
        for number, expires_at in enumerate(
            (BEGINNING - 2 * DAY, BEGINNING - timedelta(hours=1), BEGINNING + DAY, None)
        ):
            token = Token(
                id=TokenId(f"token{number}"),
                kind=TokenKind.CLIENT,
                namespaces=(NamespacePattern("*"),),
                created_at=BEGINNING - 3 * DAY,
                expires_at=expires_at,
            )
            unit.tokens.insert(token, TokenHash(f"{number}" * 64))

    await database.write(write)

    await all_done(ExpiredTokens(database=database, clock=FakeClock(), keep=DAY))

    left = await database.read(lambda unit: [token.id for token in unit.tokens.list(Page()).items])
    assert ["token1", "token2", "token3"] == left


async def test_a_request_id_is_forgotten_when_it_gives_no_run_any_more(database: Database[Unit]) -> None:
    await fill(database)

    def write(unit: Unit) -> None:
        for number, age in enumerate((2 * DAY, DAY + timedelta(seconds=1), DAY, timedelta()), start=1):
            run = make_run(number, request_id=f"id {number}", created_at=BEGINNING - age, state=RunState.SUCCEEDED)
            unit.runs.insert_run(run)

    await database.write(write)

    await all_done(OldRequestIds(database=database, clock=FakeClock(), keep=DAY))

    found = [
        await database.read(lambda unit, n=number: unit.runs.get_run(run_key(n)).request_id)  # type: ignore[misc]
        for number in range(1, 5)
    ]
    assert ["", "", "id 3", "id 4"] == found


@pytest.mark.parametrize("job_type", [OldEvents, ExpiredTokens, OldRequestIds])
async def test_where_nothing_is_due_nothing_is_written(job_type: type[AgedRows], database: Database[Unit]) -> None:
    await fill(database)
    await append_events(database, [0])
    steps: list[PruneStep] = []

    assert not await job_type(database=database, clock=FakeClock(), keep=DAY, observe=steps.append).run_once()

    assert [] == steps


# ---------------------------------------------------------------- by number


async def test_versions_over_a_lowered_limit_go_and_are_told(database: Database[Unit]) -> None:
    await fill(database, "one", "two", "three", versions=5)
    job = SurplusVersions(database=database, clock=FakeClock(), limit=3)

    await all_done(job)

    assert [[5, 4, 1]] * 3 == [await versions_of(database, name) for name in ("one", "two", "three")]
    assert 6 == (await kinds_of(database)).count("PIPELINE_CONFIG_DELETED")
    assert 0 == (await all_done(job)), "nothing is left"


async def test_pipelines_whose_versions_must_all_stay_do_not_keep_the_job_busy(database: Database[Unit]) -> None:
    await fill(database, versions=3)

    def write(unit: Unit) -> None:
        for version in (1, 2, 3):
            unit.runs.insert_run(make_run(version, version=Version(version), state=RunState.SUCCEEDED))

    await database.write(write)
    job = SurplusVersions(database=database, clock=FakeClock(), limit=1)

    assert 1 >= await all_done(job)
    assert 1 >= await all_done(job)
    assert [3, 2, 1] == await versions_of(database)


async def test_very_many_versions_go_some_at_a_time(database: Database[Unit], clock: FakeClock) -> None:
    await fill(database, "one", "two", versions=50)

    pieces = await all_done(SurplusVersions(database=database, clock=clock, limit=3))

    assert pieces >= 40, "each may be large, and the time is looked at after each"
    assert [[50, 49, 1]] * 2 == [await versions_of(database, name) for name in ("one", "two")]


async def test_no_limit_keeps_all_versions(database: Database[Unit]) -> None:
    await fill(database, versions=9)

    await all_done(SurplusVersions(database=database, clock=FakeClock(), limit=0))

    assert 9 == len(await versions_of(database))


@pytest.fixture
async def blobs(database: Database[Unit]) -> AsyncIterator[ObjectBlobs]:
    instance = await database.read(lambda unit: unit.meta.instance_id())
    async with MemoryObjectStore() as store:
        yield ObjectBlobs(engine=store, instance=instance)


async def once(content: bytes) -> AsyncIterable[bytes]:
    yield content


async def put_objects(database: Database[Unit], blobs: ObjectBlobs, owner: ObjectOwner, count: int) -> None:
    for number in range(count):
        kept = await blobs.put(once(b"x"))
        record = ObjectRecord(key=f"key {number}", blob=kept.blob, size_bytes=1, created_at=BEGINNING)
        await database.write(lambda unit, record=record: unit.objects.put(owner, record))  # type: ignore[misc]


async def test_objects_over_a_lowered_limit_are_evicted_oldest_first_and_told(
    database: Database[Unit], blobs: ObjectBlobs
) -> None:
    await fill(database)
    await put_objects(database, blobs, OWNER, 120)

    await all_done(SurplusObjects(database=database, blobs=blobs, clock=FakeClock(), limit=3))

    left = await database.read(lambda unit: [each.key for each in unit.objects.list(OWNER)])
    assert ["key 117", "key 118", "key 119"] == left
    assert 3 == len(await blobs.all())
    assert 117 == (await kinds_of(database)).count("EVICTED_PIPELINE_OBJECT")


async def test_the_objects_of_runs_do_not_count_as_their_pipelines(
    database: Database[Unit], blobs: ObjectBlobs
) -> None:
    await fill(database)
    await database.write(lambda unit: unit.runs.insert_run(make_run()))
    await put_objects(database, blobs, ObjectOwner(pipeline=KEY, run=run_key().run), 5)

    assert 0 == await all_done(SurplusObjects(database=database, blobs=blobs, clock=FakeClock(), limit=3))


async def test_a_job_that_fails_in_its_transaction_has_done_nothing(database: Database[Unit]) -> None:
    await append_events(database, [9])

    class Failing(OldEvents):
        def _remove(self, unit: Unit, before: object) -> int:
            unit.journal.prune(BEGINNING, 100)
            raise sqlite3.OperationalError("as if")

    job = Failing(database=database, clock=FakeClock(), keep=DAY)

    with pytest.raises(sqlite3.OperationalError):
        await job.run_once()

    assert 1 == len(await database.read(lambda unit: unit.journal.list(EventId(0), 10)))
