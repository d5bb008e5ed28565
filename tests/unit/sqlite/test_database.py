import asyncio
import gc
import random
import sqlite3
import stat
import threading
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.core.errors import (
    AlreadyExists,
    FailedPrecondition,
    InternalError,
    OutcomeUnknown,
    ShuttingDown,
    Unavailable,
)
from gofer.sqlite import open_database
from gofer.sqlite.group import Failed, commit_group
from tests.fakes.clock import FakeClock
from tests.fakes.units import MIGRATIONS, Gate, Store, Unit, open_store, together
from tests.fakes.waiting import until


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path) as store:
        yield store


async def test_a_write_returns_what_its_function_returned_and_is_seen_by_a_read(store: Store) -> None:
    assert await store.add("a") == "a"

    assert await store.names() == ["a"]
    assert store.published == ["a"]


async def test_units_of_a_group_are_stored_and_published_in_the_order_of_their_calls(store: Store) -> None:
    names = [f"n{number}" for number in range(300)]

    results = await together(store, *[lambda unit, name=name: unit.add(name) for name in names])

    assert names == results
    assert names == await store.names()
    assert names == store.published


async def test_a_failed_unit_loses_its_changes_and_events_and_takes_no_other_with_it(store: Store) -> None:
    def fail(unit: Unit) -> None:
        unit.add("lost")
        raise ValueError("mine")

    results = await together(store, lambda unit: unit.add("a"), fail, lambda unit: unit.add("b"))

    assert isinstance(results[1], ValueError)
    assert [results[0], results[2]] == ["a", "b"] == await store.names() == store.published


async def test_a_change_is_counted_before_anybody_hears_of_it(store: Store) -> None:
    before = store.database.changes
    await store.names()
    assert before == store.database.changes

    await store.add("a")

    assert before < store.database.changes


@pytest.mark.parametrize("way", ["read", "write"])
async def test_nothing_remembers_what_a_call_has_given(store: Store, way: str) -> None:
    class Large:
        pass

    call = store.database.read if way == "read" else store.database.write
    given = weakref.ref(await call(lambda _unit: Large()))
    gc.collect()

    assert given() is None


async def test_nothing_remembers_what_nobody_waits_for_any_more(store: Store) -> None:
    class Large:
        pass

    given: list[weakref.ref[Large]] = []
    begun, may_end = threading.Event(), threading.Event()

    def make(_unit: Unit) -> Large:
        begun.set()
        may_end.wait()
        large = Large()
        given.append(weakref.ref(large))
        return large

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(store.database.read(make))
        await asyncio.to_thread(begun.wait)
        reading.cancel()
        await asyncio.wait((reading,))
        may_end.set()
    await until(lambda: given and given[0]() is None)


async def test_events_are_published_before_the_writer_hears_of_its_commit(store: Store) -> None:
    seen: list[list[str]] = []

    async def write(name: str) -> None:
        await store.add(name)
        seen.append(list(store.published))

    async with asyncio.TaskGroup() as group, Gate(store).closed():
        for name in "ab":
            group.create_task(write(name), name=name)
        await asyncio.sleep(0)

    assert seen == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO things (name) VALUES ('a')", AlreadyExists),
        ("INSERT INTO things (id, name) VALUES (1, 'b')", AlreadyExists),
        ("INSERT INTO things (name, size) VALUES ('b', -1)", FailedPrecondition),
        ("INSERT INTO things (name) VALUES (NULL)", FailedPrecondition),
        ("INSERT INTO parts VALUES (99, 'x')", FailedPrecondition),
        ("INSERT INTO nowhere VALUES (1)", sqlite3.OperationalError),
    ],
)
async def test_broken_constraints_become_errors_of_gofers_own(
    store: Store, sql: str, expected: type[Exception]
) -> None:
    await store.add("a")

    with pytest.raises(expected):
        await store.database.write(lambda unit: unit.connection.execute(sql))

    assert await store.names() == ["a"]


async def test_a_taken_name_is_told_with_its_columns(store: Store) -> None:
    await store.add("a")

    with pytest.raises(AlreadyExists) as caught:
        await store.add("a")

    assert caught.value.details == {"constraint": "things.name"}


async def test_a_cancelled_caller_cancels_only_its_wait(store: Store) -> None:
    async with asyncio.TaskGroup() as group, Gate(store).closed():
        task = group.create_task(store.add("a"), name="write")
        await asyncio.sleep(0)
        task.cancel()
    await store.add("b")

    assert task.cancelled()
    assert ["a", "b"] == await store.names() == store.published


async def test_random_cancellation_and_failures_leave_rows_and_events_equal(store: Store) -> None:
    rng = random.Random(5)

    async def write(number: int) -> None:
        def function(unit: Unit) -> None:
            unit.add(f"n{number}")
            if number % 7 == 0:
                raise ValueError(number)

        with suppress(ValueError):
            await store.database.write(function)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write(number), name=f"write {number}") for number in range(500)]
        for task in tasks:
            if rng.random() < 0.3:
                await asyncio.sleep(0)
            if rng.random() < 0.4:
                task.cancel()

    await store.add("last")
    names = await store.names()
    assert names == store.published
    assert len(set(names)) == len(names)
    assert {f"n{each}" for each in range(500) if each % 7 and not tasks[each].cancelled()} <= set(names)
    assert not {f"n{each}" for each in range(0, 500, 7)} & set(names)


async def test_a_full_disk_fails_the_whole_group_and_publishes_nothing(store: Store) -> None:
    await store.add("before")

    def limit(unit: Unit) -> None:
        pages = unit.connection.execute("PRAGMA page_count").fetchone()[0]
        unit.connection.execute(f"PRAGMA max_page_count={pages}")

    def fill(unit: Unit) -> None:
        unit.connection.executemany("INSERT INTO parts VALUES (1, ?)", [("x" * 4000,)] * 50)

    await store.database.write(limit)
    results = await together(store, lambda unit: unit.add("a"), fill, lambda unit: unit.add("b"))
    await store.database.write(lambda unit: unit.connection.execute("PRAGMA max_page_count=100000"))

    assert [type(each) for each in results] == [Unavailable] * 3
    assert store.published == await store.names() == ["before"]
    assert await store.add("after") == "after"


async def test_a_disk_that_can_only_be_read_is_worth_another_try(store: Store) -> None:
    await store.database.write(lambda unit: unit.connection.execute("PRAGMA query_only=ON"))

    with pytest.raises(Unavailable, match="readonly"):
        await store.add("a")


async def test_a_lost_transaction_fails_every_unit_of_its_group(store: Store) -> None:
    """SQLite may roll back the whole transaction on a full disk, an I/O error or a lack of memory."""

    def lose(unit: Unit) -> None:
        unit.connection.execute("ROLLBACK")
        raise MemoryError

    results = await together(store, lambda unit: unit.add("a"), lose, lambda unit: unit.add("b"))

    assert [type(each) for each in results] == [Unavailable, MemoryError, Unavailable]
    assert [] == await store.names() == store.published
    assert await store.add("after") == "after"


async def test_a_unit_that_commits_by_itself_is_a_fault_that_fails_its_group(store: Store) -> None:
    results = await together(store, lambda unit: unit.add("a"), lambda unit: unit.connection.execute("COMMIT"))

    assert [type(each) for each in results] == [Unavailable, InternalError]
    assert store.published == []


async def test_a_commit_that_fails_fails_every_unit_and_publishes_nothing(store: Store) -> None:
    def orphan(unit: Unit) -> None:
        unit.connection.execute("PRAGMA defer_foreign_keys=ON")  # moves the check to the COMMIT
        unit.connection.execute("INSERT INTO parts VALUES (99, 'x')")

    results = await together(store, lambda unit: unit.add("a"), orphan)

    assert [type(each) for each in results] == [Unavailable, Unavailable]
    assert len({id(each) for each in results}) == 2, "each caller gets an error of its own"
    assert [] == await store.names() == store.published
    assert await store.add("after") == "after"


def test_a_commit_that_the_disk_may_have_taken_all_the_same_is_in_doubt_for_every_unit_that_did_not_fail_itself() -> (
    None
):
    class Breaking(sqlite3.Connection):
        def execute(self, sql: str, parameters: "sqlite3._Parameters" = (), /) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, parameters)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error

    def fail(_raw: sqlite3.Connection) -> None:
        raise ValueError("mine")

    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Breaking)

    outcomes = commit_group(connection, [lambda _raw: None, fail], make_unit=lambda: connection, observe=lambda _: None)

    assert [OutcomeUnknown, ValueError] == [type(each.error) for each in outcomes if isinstance(each, Failed)]
    assert not connection.in_transaction
    connection.close()


async def test_a_database_held_by_another_process_is_unavailable_not_broken(tmp_path: Path, store: Store) -> None:
    await store.database.write(lambda unit: unit.connection.execute("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="another process"):
        await store.add("a")
    other.close()

    assert await store.add("b") == "b"


async def test_closing_stores_what_is_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        async with open_store(tmp_path) as store:
            tasks = [group.create_task(store.add(f"n{number}"), name=f"{number}") for number in range(600)]
            await asyncio.sleep(0)

        with pytest.raises(ShuttingDown):
            await store.add("late")
        with pytest.raises(ShuttingDown):
            await store.names()

    assert all(task.done() for task in tasks)
    async with open_store(tmp_path) as again:
        assert [f"n{number}" for number in range(600)] == await again.names()


async def test_a_publisher_that_fails_ends_the_database_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    def fail(units: Sequence[Unit]) -> None:
        raise ZeroDivisionError

    async def serve() -> None:
        async with open_database(
            tmp_path / "test.db",
            migrations=MIGRATIONS,
            make_unit=Unit,
            after_commit=fail,
            clock=FakeClock(),
        ) as database:
            with pytest.raises(Unavailable, match="whether the change was stored"):
                await database.write(lambda unit: unit.add("a"))
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await serve()


async def test_a_stray_stop_iteration_reaches_its_caller_as_a_fault(store: Store) -> None:
    """No future can carry StopIteration: the caller would wait for ever."""

    def stray(unit: Unit) -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.database.write(stray)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.database.read(stray)


async def test_a_unit_knows_the_time_to_the_millisecond(tmp_path: Path) -> None:
    clock = FakeClock()
    await clock.advance(timedelta(microseconds=1234567))

    async with open_database(tmp_path / "test.db", migrations=MIGRATIONS, make_unit=Unit, clock=clock) as database:
        now = await database.write(lambda unit: unit.now)

    assert now.microsecond == 234000


async def test_the_files_are_private_and_the_database_is_durable(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add("a")
        modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        pragmas = await store.database.write(
            lambda unit: [
                unit.connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        )

    assert modes == {0o600}
    assert pragmas == ["wal", 2, 1]
    assert [each.name for each in tmp_path.iterdir()] == ["test.db"]


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "test.db").write_text("This is a poem, and not a database at all. " * 50)

    with pytest.raises(FailedPrecondition, match=r"test\.db.*not a database"):
        async with open_store(tmp_path):
            pass


async def test_a_path_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.db").symlink_to(tmp_path / "elsewhere.db")

    with pytest.raises(FailedPrecondition, match="symbolic link"):
        async with open_store(tmp_path):
            pass
