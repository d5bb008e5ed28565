import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gofer.core.errors import GoferError, ShuttingDown
from gofer.sqlite import Row
from tests.fakes.units import Store, Unit, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path) as store:
        yield store


async def test_a_read_can_not_write(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.database.read(lambda unit: unit.add("a"))


async def test_a_read_sees_one_state_however_long_it_takes(store: Store) -> None:
    await store.add("a")
    loop = asyncio.get_running_loop()
    began, go_on = asyncio.Event(), threading.Event()

    def twice(unit: Unit) -> tuple[list[str], list[str]]:
        first = unit.names()
        loop.call_soon_threadsafe(began.set)
        go_on.wait()
        return first, unit.names()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(store.database.read(twice), name="read")
        await began.wait()
        await store.add("b")
        go_on.set()

    assert task.result() == (["a"], ["a"])
    assert await store.names() == ["a", "b"]


SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT count(*) FROM n"


async def test_cancelled_reads_are_interrupted_and_give_their_connections_back(store: Store) -> None:
    await store.add("a")
    loop = asyncio.get_running_loop()

    for _ in range(8):
        began = asyncio.Event()

        def slow(unit: Unit, began: asyncio.Event = began) -> list[Row]:
            loop.call_soon_threadsafe(began.set)
            return unit.connection.execute(SLOW).fetchall()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.database.read(slow), name="slow")
            await began.wait()
            task.cancel()

    results = await asyncio.gather(*(store.names() for _ in range(10)))
    assert results == [["a"]] * 10


async def test_closing_interrupts_reads_that_still_run(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    began = asyncio.Event()

    def slow(unit: Unit) -> list[Row]:
        loop.call_soon_threadsafe(began.set)
        return unit.connection.execute(SLOW).fetchall()

    async def read(store: Store) -> object:
        try:
            return await store.database.read(slow)
        except GoferError as error:
            return error

    async with asyncio.TaskGroup() as group, open_store(tmp_path) as store:
        task = group.create_task(read(store), name="slow")
        await began.wait()

    assert isinstance(task.result(), ShuttingDown)
