import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.access import Token, TokenHash, TokenId, TokenKind, parse_patterns
from gofer.core.errors import AlreadyExists, NotFound
from gofer.core.ids import TaskId
from gofer.core.run import TaskState
from gofer.sqlite.errors import translate
from gofer.storage.page import MOST_BYTES, Page
from gofer.storage.unit import Unit
from tests.factories import NOW, make_run, make_task_run, run_key

HOUR = timedelta(hours=1)


def make(name: str = "aaaaaaaaaaaa", **changes: object) -> Token:
    made = Token(
        id=TokenId(name),
        kind=TokenKind.CLIENT,
        namespaces=parse_patterns(["default", "team_*"]),
        metadata={"owner": "Zoë"},
        created_at=NOW,
        expires_at=NOW + HOUR,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # its own fields


def hash_of(token: Token) -> TokenHash:
    return TokenHash(token.id.ljust(64, "0"))


def insert(unit: Unit, *tokens: Token) -> None:
    for token in tokens:
        unit.tokens.insert(token, hash_of(token))


def listed(unit: Unit) -> list[TokenId]:
    return [token.id for token in unit.tokens.list(Page()).items]


@pytest.fixture
def running(filled: Unit) -> Unit:
    """A unit with one run of two tasks."""
    filled.runs.insert_run(make_run())
    filled.runs.upsert_task_runs([make_task_run("one"), make_task_run("two")])
    return filled


def test_a_token_is_found_by_its_hash_and_by_its_id_as_it_was_stored(running: Unit) -> None:
    of_task = make("bbbbbbbbbbbb", task_run=run_key().task(TaskId("one")), expires_at=None, disabled=True)
    insert(running, make(), of_task)

    assert (make(), hash_of(make())) == running.tokens.find_by_hash(hash_of(make()))
    assert of_task == running.tokens.get(of_task.id)
    assert running.tokens.find_by_hash(TokenHash("f" * 64)) is None


def test_tokens_are_listed_in_the_order_of_creation(unit: Unit) -> None:
    insert(unit, make("cccccccccccc"), make("aaaaaaaaaaaa"), make("bbbbbbbbbbbb"))

    first = unit.tokens.list(Page(limit=2))
    second = unit.tokens.list(Page(limit=2, cursor=first.next_cursor))

    assert ["cccccccccccc", "aaaaaaaaaaaa", "bbbbbbbbbbbb"] == listed(unit)
    assert ["cccccccccccc", "aaaaaaaaaaaa"] == [token.id for token in first.items]
    assert ["bbbbbbbbbbbb"] == [token.id for token in second.items]
    assert ["aaaaaaaaaaaa"] == [token.id for token in unit.tokens.list(Page(limit=1, offset=1)).items]


def test_a_page_of_tokens_that_say_much_of_themselves_fits_one_message(unit: Unit) -> None:
    """Two hundred of them had 160 MB."""
    much = {f"{number:03}".ljust(4096, "x"): "é" * 2048 for number in range(100)}
    insert(unit, *(make(f"{number:012}", metadata=much) for number in range(9)))

    pages = [unit.tokens.list(Page())]
    while pages[-1].next_cursor:
        pages.append(unit.tokens.list(Page(cursor=pages[-1].next_cursor)))

    assert [f"{number:012}" for number in range(9)] == [token.id for page in pages for token in page.items]
    for page in pages:
        assert MOST_BYTES > sum(
            len(key) + len(value.encode()) for token in page.items for key, value in token.metadata.items()
        )


def test_no_two_tokens_share_an_id_or_a_hash(unit: Unit) -> None:
    insert(unit, make())

    for token, hashed in ((make(), TokenHash("f" * 64)), (make("bbbbbbbbbbbb"), hash_of(make()))):
        with pytest.raises(sqlite3.IntegrityError) as refused:
            unit.tokens.insert(token, hashed)
        assert isinstance(translate(refused.value), AlreadyExists)


def test_what_is_disabled_or_deleted_is_told_as_revoked(unit: Unit) -> None:
    insert(unit, make(), make("bbbbbbbbbbbb"))

    unit.tokens.set_disabled(make().id, disabled=True)
    unit.tokens.delete(TokenId("bbbbbbbbbbbb"))

    assert unit.tokens.get(make().id).disabled
    assert ["aaaaaaaaaaaa"] == listed(unit)
    assert ["aaaaaaaaaaaa", "bbbbbbbbbbbb"] == unit.tokens.revoked


def test_what_is_not_there_can_be_neither_changed_nor_deleted_and_is_not_repeated(unit: Unit) -> None:
    for work in (
        lambda: unit.tokens.get(TokenId("secret")),
        lambda: unit.tokens.delete(TokenId("secret")),
        lambda: unit.tokens.set_disabled(TokenId("secret"), disabled=True),
    ):
        with pytest.raises(NotFound) as refused:
            work()
        assert "secret" not in refused.value.message
    assert [] == unit.tokens.revoked


def test_the_tokens_of_a_task_run_go_alone(running: Unit) -> None:
    one, two = (run_key().task(TaskId(task)) for task in ("one", "two"))
    insert(running, make("cccccccccccc"), make("aaaaaaaaaaaa", task_run=one), make("bbbbbbbbbbbb", task_run=two))

    running.tokens.delete_of_task_run(one)

    assert ["cccccccccccc", "bbbbbbbbbbbb"] == listed(running)
    assert ["aaaaaaaaaaaa"] == running.tokens.revoked


def test_the_tokens_of_all_task_runs_that_have_ended_go_together(running: Unit) -> None:
    one, two = (run_key().task(TaskId(task)) for task in ("one", "two"))
    insert(running, make("cccccccccccc"), make("aaaaaaaaaaaa", task_run=one), make("bbbbbbbbbbbb", task_run=two))
    running.runs.upsert_task_runs([make_task_run("one", state=TaskState.FAILED, ended_at=NOW)])

    assert 1 == running.tokens.delete_of_ended()

    assert ["cccccccccccc", "bbbbbbbbbbbb"] == listed(running)


def test_a_token_goes_with_its_task_run(running: Unit, connection: sqlite3.Connection) -> None:
    insert(running, make(task_run=run_key().task(TaskId("one"))))

    connection.execute("DELETE FROM task_runs")

    assert [] == listed(running)


def test_those_that_expired_first_are_pruned_first_and_the_others_stay(unit: Unit) -> None:
    insert(
        unit,
        make("aaaaaaaaaaaa", expires_at=NOW - HOUR),
        make("bbbbbbbbbbbb", expires_at=NOW - 2 * HOUR),
        make("cccccccccccc", expires_at=None),
        make("dddddddddddd", expires_at=NOW),
    )

    assert 1 == unit.tokens.prune(NOW, 1)
    assert ["aaaaaaaaaaaa", "cccccccccccc", "dddddddddddd"] == listed(unit)
    assert 1 == unit.tokens.prune(NOW, 10)
    assert ["cccccccccccc", "dddddddddddd"] == listed(unit)
    assert ["bbbbbbbbbbbb", "aaaaaaaaaaaa"] == unit.tokens.revoked


def test_that_a_management_token_was_made_is_known_also_while_it_is_disabled(unit: Unit) -> None:
    insert(unit, make())
    before = unit.tokens.has_management()

    insert(unit, make("bbbbbbbbbbbb", kind=TokenKind.MANAGEMENT, disabled=True))

    assert (False, True) == (before, unit.tokens.has_management())


def test_the_bootstrap_is_recorded_once_and_for_ever(unit: Unit) -> None:
    before = unit.meta.is_bootstrapped()

    unit.meta.set_bootstrapped(NOW)

    assert (False, True) == (before, unit.meta.is_bootstrapped())
    with pytest.raises(sqlite3.IntegrityError):
        unit.meta.set_bootstrapped(NOW)
