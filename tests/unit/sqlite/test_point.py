"""Looking rows up on the event loop: what a read promises, and nothing waits."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gofer.core.errors import ShuttingDown
from tests.fakes.units import Store, Unit, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path) as store:
        yield store


async def test_it_sees_everything_whose_write_has_returned(store: Store) -> None:
    await store.add("a")
    first = await store.database.look_up(Unit.names)
    await store.add("b")

    assert ["a"] == first
    assert ["a", "b"] == await store.database.look_up(Unit.names)


async def test_it_can_not_write(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.database.look_up(lambda unit: unit.add("a"))


async def test_what_a_function_raises_comes_out_and_harms_no_later_one(store: Store) -> None:
    def fail(unit: Unit) -> None:
        unit.names()
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await store.database.look_up(fail)

    assert [] == await store.database.look_up(Unit.names)


async def test_a_locked_database_is_read_as_soon_as_it_is_free(store: Store) -> None:
    tries: list[int] = []

    def names(unit: Unit) -> list[str]:
        tries.append(len(tries))
        if len(tries) == 1:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return unit.names()

    await store.add("a")

    assert ["a"] == await store.database.look_up(names)
    assert [0, 1] == tries


async def test_a_closed_database_gives_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        database = store.database

    with pytest.raises(ShuttingDown):
        await database.look_up(Unit.names)
