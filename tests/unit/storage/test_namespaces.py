from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import NotFound
from gofer.core.ids import NamespaceId
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.factories import NOW, make_namespace

TEAM = NamespaceId("team")


def test_a_namespace_comes_back_as_it_was_stored(unit: Unit) -> None:
    namespace = make_namespace("team", description="\u00e9\u4e16\U0001f600")

    unit.namespaces.insert(namespace)

    assert unit.namespaces.get(TEAM) == namespace
    assert unit.namespaces.find(TEAM) == namespace


def test_an_unknown_namespace_is_named_together_with_the_fix(unit: Unit) -> None:
    with pytest.raises(NotFound, match=r"there is no namespace 'team'.*`gofer namespace create`") as refused:
        unit.namespaces.get(TEAM)

    assert refused.value.details == {"namespace": "team"}
    assert unit.namespaces.find(TEAM) is None


def test_an_update_changes_all_but_the_time_of_creation(unit: Unit) -> None:
    unit.namespaces.insert(make_namespace("team"))
    changed = make_namespace("team", name="Other", description="x", modified_at=NOW + timedelta(seconds=1))

    unit.namespaces.update(replace(changed, created_at=NOW + timedelta(days=1)))

    assert unit.namespaces.get(TEAM) == changed


def test_an_unknown_namespace_is_not_updated(unit: Unit) -> None:
    with pytest.raises(NotFound):
        unit.namespaces.update(make_namespace("team"))


def test_namespaces_are_listed_by_id_ascending_page_by_page(unit: Unit) -> None:
    for name in ("b_b", "a_a", "c_c"):
        unit.namespaces.insert(make_namespace(name))

    first = unit.namespaces.list(Page(limit=2))
    second = unit.namespaces.list(Page(limit=2, cursor=first.next_cursor))

    assert [found.id for found in first.items] == ["a_a", "b_b"]
    assert [found.id for found in second.items] == ["c_c"]
    assert second.next_cursor == ""
    assert [found.id for found in unit.namespaces.list(Page(offset=1)).items] == ["b_b", "c_c"]
    assert unit.namespaces.list(Page(offset=99)).items == ()
