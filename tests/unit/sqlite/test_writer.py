import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiosqlite
import pytest

from gofer.core.errors import ShuttingDown
from gofer.sqlite.connection import on_thread, writer_connection
from gofer.sqlite.group import GroupStep
from gofer.sqlite.writer import MAX_WAITING, Writer
from tests.fakes.clock import FakeClock
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run


def create(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE numbers (number INTEGER)")


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with writer_connection(tmp_path / "test.db") as connection:
        await on_thread(connection, create)
        yield connection


def make_writer(connection: aiosqlite.Connection) -> Writer[sqlite3.Connection]:
    def make_unit(raw: sqlite3.Connection, now: datetime) -> sqlite3.Connection:
        return raw

    return Writer(connection, make_unit=make_unit, after_commit=lambda units: None, now=FakeClock().now)


async def test_it_starts_and_stops_as_often_as_wanted(connection: aiosqlite.Connection) -> None:
    await start_stop_stress(lambda: make_writer(connection))
    await cancel_during_start(lambda: make_writer(connection))
    await stop_before_run(lambda: make_writer(connection))


async def test_writers_beyond_the_places_wait_and_are_refused_when_it_stops(connection: aiosqlite.Connection) -> None:
    writer = make_writer(connection)
    results: list[str] = []

    async def write(number: int) -> None:
        try:
            await writer.write(lambda raw: raw.execute("INSERT INTO numbers VALUES (?)", (number,)))
            results.append("stored")
        except ShuttingDown:
            results.append("refused")

    async with asyncio.TaskGroup() as group:
        for number in range(MAX_WAITING + 10):
            group.create_task(write(number), name=f"{number}")
        await asyncio.sleep(0)
        writer.stop()
        await writer.run(lambda: None)

    assert [each for each in results if each != "stored"] == ["refused"] * 10
    assert await on_thread(connection, count) == len(results) - 10


def count(raw: sqlite3.Connection) -> int:
    return int(raw.execute("SELECT count(*) FROM numbers").fetchone()[0])


async def test_a_cancelled_writer_tells_those_who_wait_and_stores_nothing_twice(
    connection: aiosqlite.Connection,
) -> None:
    writer = make_writer(connection)
    outcomes: list[Exception | None] = []

    async def write() -> None:
        try:
            await writer.write(lambda raw: raw.execute("INSERT INTO numbers VALUES (1)"))
            outcomes.append(None)
        except Exception as error:  # noqa: BLE001 - what it is, is the question
            outcomes.append(error)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(writer.run(lambda: None), name="writer")
        for number in range(300):
            group.create_task(write(), name=f"{number}")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()

    assert len(outcomes) == 300
    assert None not in outcomes
    assert await on_thread(connection, count) in {0, 256}


async def test_an_observer_is_told_of_each_step_of_a_group(connection: aiosqlite.Connection) -> None:
    steps: list[GroupStep] = []
    writer: Writer[sqlite3.Connection] = Writer(
        connection,
        make_unit=lambda raw, _now: raw,
        after_commit=lambda _units: steps.append(GroupStep.COMMITTED),
        now=FakeClock().now,
        observe=steps.append,
    )

    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(writer.write(count), name=name)
        await asyncio.sleep(0)
        writer.stop()
        await writer.run(lambda: None)

    assert steps == [
        GroupStep.BEGUN,
        GroupStep.UNIT_DONE,
        GroupStep.UNIT_DONE,
        GroupStep.COMMIT,
        GroupStep.COMMITTED,
        GroupStep.COMMITTED,  # the publication, after the observer was told
    ]
