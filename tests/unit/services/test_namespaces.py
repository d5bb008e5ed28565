from datetime import timedelta

import pytest

from gofer.core.access import Caller, NamespacePattern
from gofer.core.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied
from gofer.core.events import NamespaceCreated
from gofer.core.ids import NamespaceId
from gofer.services.namespaces import NamespaceDraft, Namespaces, resolve_namespace
from gofer.sqlite import Database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.fakes.clock import FakeClock
from tests.unit.services.journal import events_of

TEAM = NamespaceDraft(id="team", name="A team", description="words")


@pytest.fixture
async def namespaces(database: Database[Unit]) -> Namespaces:
    service = Namespaces(database=database)
    await service.ensure_default()
    return service


async def test_the_default_namespace_is_made_once(namespaces: Namespaces, database: Database[Unit]) -> None:
    await namespaces.ensure_default()

    assert await events_of(database) == [NamespaceCreated(namespace_id=NamespaceId("default"))]


async def test_creating_stores_and_tells(namespaces: Namespaces, caller: Caller, database: Database[Unit]) -> None:
    made = await namespaces.create(caller, TEAM)

    assert (made.id, made.name, made.description) == ("team", "A team", "words")
    assert await namespaces.get(caller, "team") == made
    assert (await events_of(database))[-1] == NamespaceCreated(namespace_id=made.id)


async def test_an_id_that_is_taken_is_refused_by_name(namespaces: Namespaces, caller: Caller) -> None:
    await namespaces.create(caller, TEAM)

    with pytest.raises(AlreadyExists, match="there is a namespace 'team' already"):
        await namespaces.create(caller, TEAM)


async def test_every_fault_of_a_new_namespace_is_listed(
    namespaces: Namespaces, caller: Caller, database: Database[Unit]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await namespaces.create(caller, NamespaceDraft(id="a-b", name="", description="\0"))

    assert len(refused.value.faults) == 3
    assert len(await events_of(database)) == 1


async def test_updating_overwrites_name_and_description_also_with_nothing(
    namespaces: Namespaces, caller: Caller, clock: FakeClock
) -> None:
    made = await namespaces.create(caller, TEAM)
    await clock.advance(timedelta(seconds=5))

    await namespaces.update(caller, NamespaceDraft(id="team", name="", description="other"))

    found = await namespaces.get(caller, "team")
    assert (found.name, found.description, found.created_at) == ("", "other", made.created_at)
    assert found.modified_at == made.modified_at + timedelta(seconds=5)


async def test_what_is_unknown_or_unnamed_is_refused(namespaces: Namespaces, caller: Caller) -> None:
    with pytest.raises(NotFound):
        await namespaces.get(caller, "team")
    with pytest.raises(NotFound):
        await namespaces.update(caller, TEAM)
    with pytest.raises(InvalidInput, match="id is missing"):
        await namespaces.get(caller, "")
    with pytest.raises(InvalidInput, match="NUL"):
        await namespaces.update(caller, NamespaceDraft(id="team", name="\0", description=""))


async def test_they_are_listed_by_id(namespaces: Namespaces, caller: Caller) -> None:
    await namespaces.create(caller, TEAM)
    await namespaces.create(caller, NamespaceDraft(id="abc", name="x", description=""))

    listed = await namespaces.list(caller, Page())

    assert [found.id for found in listed.items] == ["abc", "default", "team"]


async def test_no_namespace_means_the_default_one(
    namespaces: Namespaces, caller: Caller, database: Database[Unit]
) -> None:
    await namespaces.create(caller, TEAM)

    assert await database.read(lambda unit: resolve_namespace(unit, caller, "")) == "default"
    assert await database.read(lambda unit: resolve_namespace(unit, caller, "team")) == "team"
    with pytest.raises(NotFound, match="no namespace 'other'"):
        await database.read(lambda unit: resolve_namespace(unit, caller, "other"))


async def test_a_namespace_that_is_closed_to_a_caller_does_not_tell_whether_it_exists(
    namespaces: Namespaces, database: Database[Unit], stranger: Caller
) -> None:
    for name in ("default", "nothing"):
        with pytest.raises(PermissionDenied, match=name):
            await database.read(lambda unit, name=name: resolve_namespace(unit, stranger, name))  # type: ignore[misc]


async def test_a_caller_may_use_the_namespaces_that_are_open_to_them(
    namespaces: Namespaces, database: Database[Unit]
) -> None:
    member = Caller(name="member", is_admin=False, namespaces=(NamespacePattern("default"),))

    assert await database.read(lambda unit: resolve_namespace(unit, member, "default")) == "default"
