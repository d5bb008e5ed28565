import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofer.core.pipeline import ConfigState
from gofer.sqlite.migrate import application_id, load_migrations, migrate
from gofer.storage.unit import Unit
from tests.factories import NOW, make_config, make_namespace, make_pipeline


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A migrated file, with the settings that matter to repositories."""
    opened = sqlite3.connect(tmp_path / "gofer.db", isolation_level=None)
    opened.row_factory = sqlite3.Row
    opened.execute("PRAGMA foreign_keys=ON")
    migrate(opened, load_migrations("gofer.storage.migrations"), owner=application_id("gofer.storage.migrations"))
    yield opened
    opened.close()


@pytest.fixture
def unit(connection: sqlite3.Connection) -> Unit:
    return Unit(connection, NOW)


@pytest.fixture
def filled(unit: Unit) -> Unit:
    """A unit whose database holds the default namespace and one pipeline with a live version."""
    unit.namespaces.insert(make_namespace())
    unit.pipelines.insert(make_pipeline())
    unit.pipelines.insert_config(make_config(state=ConfigState.LIVE))
    return unit
