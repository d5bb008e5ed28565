from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gofer.bus import Bus
from gofer.core.access import Caller
from gofer.core.events import Envelope
from gofer.sqlite import Database, open_database
from gofer.storage.unit import Unit
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> Bus[Envelope]:
    return Bus()


@pytest.fixture
def caller() -> Caller:
    return Caller(name="tester", is_admin=True)


@pytest.fixture
def stranger() -> Caller:
    return Caller(name="stranger", is_admin=False)


@pytest.fixture
async def database(tmp_path: Path, clock: FakeClock, bus: Bus[Envelope]) -> AsyncIterator[Database[Unit]]:
    """The main database, whose commits are published on the bus."""

    def publish(units: Sequence[Unit]) -> None:
        for unit in units:
            bus.publish(unit.recorded)

    async with open_database(
        tmp_path / "data" / "gofer.db",
        migrations="gofer.storage.migrations",
        make_unit=Unit,
        clock=clock,
        after_commit=publish,
    ) as opened:
        yield opened
