"""Who may do what: patterns of namespaces, callers, tokens."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.access import (
    EVERY_NAMESPACE,
    MAX_PATTERN_CHARACTERS,
    MAX_PATTERNS,
    Caller,
    NamespacePattern,
    Token,
    TokenId,
    TokenKind,
    parse_patterns,
)
from gofer.core.errors import InvalidInput
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, TaskId
from tests.factories import NOW, run_key

FEW_LETTERS = "ab_"  # so that what is drawn often meets
IDS = st.text(FEW_LETTERS, min_size=3, max_size=12).map(NamespaceId)
GLOBS = st.text(FEW_LETTERS + "*?", min_size=1, max_size=10)


def client(*patterns: str) -> Caller:
    return Caller(name="client", is_admin=False, namespaces=parse_patterns(patterns))


def token(*patterns: str, kind: TokenKind = TokenKind.CLIENT) -> Token:
    return Token(
        id=TokenId("abcdefabcdef"),
        kind=kind,
        namespaces=parse_patterns(patterns),
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )


@given(GLOBS, IDS)
def test_a_glob_matches_as_an_independent_matcher_says(glob: str, namespace: NamespaceId) -> None:
    regex = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in glob)

    assert bool(re.fullmatch(regex, namespace)) == NamespacePattern.parse(glob).matches(namespace)


@given(IDS, IDS)
def test_an_exact_entry_opens_that_namespace_and_no_other(entry: NamespaceId, namespace: NamespaceId) -> None:
    assert (entry == namespace) == client(entry).allows(namespace)


@given(st.lists(GLOBS, max_size=5), IDS)
def test_any_entry_of_a_list_may_match(globs: list[str], namespace: NamespaceId) -> None:
    expected = any(NamespacePattern.parse(glob).matches(namespace) for glob in globs)

    assert expected == client(*globs).allows(namespace)


@given(st.lists(GLOBS, max_size=4), GLOBS, IDS)
def test_who_covers_a_pattern_may_all_that_it_opens(globs: list[str], glob: str, namespace: NamespaceId) -> None:
    caller, pattern = client(*globs), NamespacePattern.parse(glob)

    if caller.covers(pattern) and pattern.matches(namespace):
        assert caller.allows(namespace)


@given(st.lists(GLOBS, max_size=4))
def test_home_is_an_entry_or_the_default_namespace(globs: list[str]) -> None:
    assert client(*globs).home in {*globs, "default"}


@pytest.mark.parametrize(
    ("entry", "namespace"),
    [("dev", "my_dev_2"), ("dev", "dev2"), ("dev_a", "dev_attacker"), ("dev", "Dev"), ("dev_?", "dev_"), ("?ev", "ev")],
)
def test_a_part_of_an_id_opens_nothing(entry: str, namespace: str) -> None:
    assert not client(entry).allows(NamespaceId(namespace))


def test_dot_star_is_star_and_stars_in_a_row_are_one() -> None:
    assert (EVERY_NAMESPACE,) == parse_patterns([".*", "*", "**"])
    assert client(".*").allows(NamespaceId("anything"))


def test_many_stars_are_matched_quickly() -> None:
    pattern = NamespacePattern.parse("*a" * 31 + "*b")

    assert not pattern.matches(NamespaceId("a" * 32))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("team_.*", "use the glob team_*"),
        ("^team_.+$", "use the glob team_?*"),
        ("team.", "use the glob team?"),
        ("(a|b)", "such as team_*"),
        ("ops-*", "such as team_*"),
        ("", "is empty"),
        ("a b", "such as team_*"),
        ("default\n", "such as team_*"),
        ("x" * (MAX_PATTERN_CHARACTERS + 1), "too long"),
    ],
)
def test_what_is_neither_id_nor_glob_is_refused_with_the_glob_to_use(text: str, advice: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(advice)):
        parse_patterns([text])


def test_every_fault_of_a_list_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_patterns(["good", "a.*", "b|c"])
    with pytest.raises(InvalidInput, match="at most 100"):
        parse_patterns(f"team_{number}" for number in range(MAX_PATTERNS + 1))

    assert 2 == len(refused.value.faults)


def test_nothing_is_open_to_whoever_has_no_entries() -> None:
    assert not client().allows(NamespaceId("default"))
    assert Caller(name="admin", is_admin=True).allows(NamespaceId("default"))


@pytest.mark.parametrize(
    ("entries", "home"),
    [
        ((), "default"),
        (("team_a",), "team_a"),
        (("default", "team_b"), "team_b"),
        (("team_*", "default"), "default"),
        (("team_*", "ops", "dev"), "ops"),
    ],
)
def test_a_request_without_a_namespace_is_about_the_first_of_the_callers_own(
    entries: tuple[str, ...], home: str
) -> None:
    assert home == client(*entries).home


def test_the_token_of_a_task_run_opens_its_own_pipeline_only() -> None:
    made = replace(token("default"), task_run=run_key(3).task(TaskId("build")))
    caller = made.caller(is_local=False)
    own = run_key(3).of_pipeline

    assert caller.allows_pipeline(own)
    assert not caller.allows_pipeline(replace(own, pipeline=PipelineId("other")))
    assert not caller.allows_pipeline(replace(own, namespace=NamespaceId("team")))
    assert "task run default/simple/3/build" == caller.name


def test_a_token_without_a_task_run_opens_all_pipelines_of_its_namespaces() -> None:
    caller = token("team_*").caller(is_local=True)

    assert caller.allows_pipeline(PipelineKey(namespace=NamespaceId("team_a"), pipeline=PipelineId("any")))
    assert not caller.allows_pipeline(PipelineKey(namespace=NamespaceId("ops"), pipeline=PipelineId("any")))
    assert ("token abcdefabcdef", False, True) == (caller.name, caller.is_admin, caller.is_local)


def test_a_token_is_refused_from_its_expiry_on_and_while_it_is_disabled() -> None:
    good = token("default")
    expires_at = NOW + timedelta(hours=1)

    assert good.why_refused(expires_at - timedelta(milliseconds=1)) is None
    assert "your token has expired" == good.why_refused(expires_at)
    assert "your token is disabled" == replace(good, disabled=True).why_refused(NOW)
    assert "your token has expired" == replace(good, disabled=True).why_refused(expires_at)
    assert replace(good, expires_at=None).why_refused(expires_at) is None


def test_tokens_are_shown_to_those_who_may_all_that_they_open() -> None:
    management = token(kind=TokenKind.MANAGEMENT)
    own = token("team_a", "ops").caller(is_local=False)
    other = replace(token("team_a", "ops"), id=TokenId("000000000000"))

    assert other.is_shown_to(management.caller(is_local=False))
    assert token("team_a", "ops").is_shown_to(own)
    assert other.is_shown_to(own)
    assert not other.is_shown_to(client("team_a"))
    assert not management.is_shown_to(client("*"))
    assert not token().is_shown_to(client("*"))
    assert not other.is_shown_to(replace(client("*"), pipeline=run_key().of_pipeline))
