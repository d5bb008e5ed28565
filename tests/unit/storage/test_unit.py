import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.core.errors import AlreadyExists, FailedPrecondition
from gofer.core.events import Envelope, NamespaceCreated
from gofer.core.ids import EventId
from gofer.sqlite import open_database
from gofer.storage.unit import Unit
from tests.factories import NAMESPACE, NOW, make_namespace, make_pipeline
from tests.fakes.clock import FakeClock


def test_the_time_of_a_unit_is_what_it_stores(connection: sqlite3.Connection) -> None:
    assert Unit(connection, NOW + timedelta(microseconds=999)).now == NOW


def test_an_instance_id_is_made_with_the_file_and_stays(connection: sqlite3.Connection, unit: Unit) -> None:
    instance = unit.meta.instance_id()

    assert len(instance) == 12
    assert int(instance, 16) >= 0
    assert Unit(connection, NOW).meta.instance_id() == instance


async def test_units_plug_into_the_database_and_broken_rules_come_back_as_errors_of_ours(tmp_path: Path) -> None:
    published: list[Envelope] = []

    def publish(units: object) -> None:
        for unit in units:  # type: ignore[attr-defined]  # the database gives a sequence of units
            published.extend(unit.recorded)

    def make(unit: Unit) -> None:
        unit.namespaces.insert(make_namespace())
        unit.record(NamespaceCreated(namespace_id=NAMESPACE))

    async with open_database(
        tmp_path / "data" / "gofer.db",
        migrations="gofer.storage.migrations",
        make_unit=Unit,
        clock=FakeClock(),
        after_commit=publish,
    ) as database:
        with pytest.raises(FailedPrecondition):
            await database.write(lambda unit: unit.pipelines.insert(make_pipeline()))
        await database.write(make)
        with pytest.raises(AlreadyExists):
            await database.write(make)
        stored = await database.read(lambda unit: unit.journal.list(EventId(0), 10))

    assert [envelope.event for envelope in stored] == [NamespaceCreated(namespace_id=NAMESPACE)]
    assert published == stored
