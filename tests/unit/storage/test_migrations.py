import sqlite3
from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition
from gofer.core.ids import EventId, NamespaceId, PipelineId, PipelineKey, TaskId, Version
from gofer.core.pipeline import ConfigState, PipelineState, RegistryAuth, Requirement
from gofer.core.run import ReasonCode, RunState, StopRequest, TaskState
from gofer.core.times import from_ms
from gofer.sqlite import open_database
from gofer.sqlite.migrate import application_id, load_migrations, migrate
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.factories import run_key
from tests.fakes.clock import FakeClock

DATA = Path(__file__).parents[2] / "data" / "storage"
MIGRATIONS = load_migrations("gofer.storage.migrations")
OURS = application_id("gofer.storage.migrations")
TEAM = PipelineKey(namespace=NamespaceId("team"), pipeline=PipelineId("build"))


def schema_of(connection: sqlite3.Connection) -> str:
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return "\n\n".join(sorted(f"{row[0]};" for row in rows)) + "\n"


def stored_version(version: int, path: Path) -> None:
    """Make the file that a server of that schema left behind."""
    connection = sqlite3.connect(path)
    connection.executescript((DATA / f"version_{version}.sql").read_text())
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_all_migrations_on_an_empty_file_give_the_documented_schema(connection: sqlite3.Connection) -> None:
    assert (DATA / "schema.sql").read_text() == schema_of(connection)


@pytest.mark.parametrize("version", [1])
def test_an_older_file_is_upgraded_to_the_same_schema(version: int, tmp_path: Path) -> None:
    stored_version(version, tmp_path / "old.db")
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)

    assert migrate(connection, MIGRATIONS, owner=OURS) == len(MIGRATIONS)

    assert (DATA / "schema.sql").read_text() == schema_of(connection)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.execute("PRAGMA user_version = 9999")

    with pytest.raises(FailedPrecondition, match="newer Gofer"):
        migrate(connection, MIGRATIONS, owner=OURS)

    assert schema_of(connection) == "\n"
    connection.close()


@pytest.mark.parametrize("version", [1])
async def test_everything_in_an_older_file_is_still_read(version: int, tmp_path: Path) -> None:
    stored_version(version, tmp_path / "old.db")

    def check(unit: Unit) -> None:
        assert unit.meta.instance_id() == "0123456789ab"
        assert [found.id for found in unit.namespaces.list(Page()).items] == ["default", "team"]
        assert unit.pipelines.get(TEAM).state is PipelineState.DISABLED
        config = unit.pipelines.find_live_config(TEAM)
        assert config is not None
        assert (config.version, config.parallelism, config.state) == (2, 3, ConfigState.LIVE)
        first, second = config.tasks
        assert first.registry_auth == RegistryAuth(user="me", sealed_password=b"sealed")
        assert second.depends_on == {TaskId("fetch"): Requirement.FAILURE}
        assert second.variables == {"KEY": "secret{{k}}"}
        assert unit.pipelines.get_config(TEAM, Version(1)).deprecated_at == from_ms(1767323046000)
        assert [found.id for found in unit.pipelines.list_deployments(TEAM, Page()).items] == [2, 1]
        run = unit.runs.get_run(run_key(4, pipeline="build", namespace="team"))
        assert (run.state, run.reason and run.reason.code) == (RunState.FAILED, ReasonCode.ABNORMAL_EXIT)
        assert run.variables == {"A": "1"}
        assert run.engine == "process"
        task_runs = unit.runs.all_task_runs(run.key)
        assert task_runs[TaskId("fetch")].exit_code == 3
        assert task_runs[TaskId("clean")].state is TaskState.CANCELLED
        assert task_runs[TaskId("clean")].stop_request == StopRequest(at=from_ms(1767323048000), force=True)
        assert [key for key, _ in unit.runs.queued()] == [run_key(5, pipeline="build", namespace="team")]
        assert [found.id for found in unit.journal.list(EventId(0), 10)] == [1, 3]

    async with open_database(
        tmp_path / "old.db", migrations="gofer.storage.migrations", make_unit=Unit, clock=FakeClock()
    ) as database:
        await database.read(check)
        assert await database.write(lambda unit: unit.runs.next_run_id(TEAM)) == 6
