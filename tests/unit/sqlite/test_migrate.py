import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from gofer.core.errors import FailedPrecondition
from gofer.sqlite.migrate import Migration, application_id, load_migrations, migrate

OURS = application_id("tests.unit.sqlite.steps")
ONE = Migration(number=1, name="0001_one.sql", sql="CREATE TABLE one (id INTEGER PRIMARY KEY); -- the first")
TWO = Migration(number=2, name="0002_two.sql", sql="CREATE TABLE two (id INTEGER); INSERT INTO one VALUES (1);")
BROKEN = Migration(
    number=2, name="0002_broken.sql", sql="CREATE TABLE two (id INTEGER); INSERT INTO nowhere VALUES (1);"
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]


def test_what_is_missing_is_applied_in_order_and_only_once(connection: sqlite3.Connection) -> None:
    assert migrate(connection, [ONE], owner=OURS) == 1
    assert migrate(connection, [ONE, TWO], owner=OURS) == 2
    assert migrate(connection, [ONE, TWO], owner=OURS) == 2

    assert tables(connection) == ["one", "two"]
    assert connection.execute("SELECT id FROM one").fetchall() == [(1,)]


def test_a_migration_that_fails_leaves_nothing_of_itself(connection: sqlite3.Connection) -> None:
    with pytest.raises(FailedPrecondition, match=r"0002_broken\.sql.*nowhere"):
        migrate(connection, [ONE, BROKEN], owner=OURS)

    assert tables(connection) == ["one"]
    assert not connection.in_transaction
    assert migrate(connection, [ONE, TWO], owner=OURS) == 2


def test_a_newer_database_is_refused_untouched(connection: sqlite3.Connection) -> None:
    migrate(connection, [ONE, TWO], owner=OURS)

    with pytest.raises(FailedPrecondition, match=r"newer Gofer \(its schema is 2, this one knows 1\)"):
        migrate(connection, [ONE], owner=OURS)


def test_a_database_of_another_program_is_refused(connection: sqlite3.Connection) -> None:
    """Gofer 0.6 had its database at the same path by default."""
    connection.execute("CREATE TABLE namespaces (id TEXT)")

    with pytest.raises(FailedPrecondition, match="tables of another program"):
        migrate(connection, [ONE], owner=OURS)

    assert tables(connection) == ["namespaces"]


def test_migrations_are_read_from_a_package_in_order() -> None:
    assert [each.name for each in load_migrations("tests.unit.sqlite.steps")] == ["0001_things.sql", "0002_colour.sql"]


def test_a_package_with_a_gap_in_its_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered"):
        load_migrations("tests.unit.sqlite.gap")


def test_a_database_of_ours_bears_our_number(connection: sqlite3.Connection) -> None:
    migrate(connection, [ONE], owner=OURS)

    assert connection.execute("PRAGMA application_id").fetchone() == (OURS,)


def test_a_database_of_another_program_is_refused_whatever_its_version(connection: sqlite3.Connection) -> None:
    connection.executescript("CREATE TABLE theirs (id TEXT); PRAGMA user_version = 1;")

    with pytest.raises(FailedPrecondition, match="tables of another program"):
        migrate(connection, [ONE, TWO], owner=OURS)

    assert tables(connection) == ["theirs"]


def test_a_database_of_another_kind_of_ours_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection, [ONE], owner=application_id("gofer.elsewhere"))

    with pytest.raises(FailedPrecondition, match="tables of another program"):
        migrate(connection, [ONE, TWO], owner=OURS)


def test_a_database_from_before_the_numbers_is_known_by_its_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(f"{ONE.sql}\n; PRAGMA user_version = 1;")

    assert migrate(connection, [ONE, TWO], owner=OURS) == 2

    assert connection.execute("PRAGMA application_id").fetchone() == (OURS,)


def test_a_database_that_is_up_to_date_and_bears_no_number_gets_it(connection: sqlite3.Connection) -> None:
    connection.executescript(f"{ONE.sql}\n; PRAGMA user_version = 1;")

    migrate(connection, [ONE], owner=OURS)

    assert connection.execute("PRAGMA application_id").fetchone() == (OURS,)
