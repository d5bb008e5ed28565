from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.engines.registry import SCHEDULER_GROUP, EngineRegistry
from gofer.engines.scheduler.memory import MemoryEngine


def registry(**declared: str) -> EngineRegistry:
    found = [EntryPoint(name=name, value=value, group=SCHEDULER_GROUP) for name, value in declared.items()]
    return EngineRegistry(find=lambda group: found if group == SCHEDULER_GROUP else [])


def test_our_own_engines_are_declared_like_everybody_elses() -> None:
    found = EngineRegistry()

    assert {"docker", "memory", "process"} <= set(found.scheduler_names)
    assert isinstance(found.scheduler("memory", {}), MemoryEngine)


def test_a_factory_gets_its_settings_block() -> None:
    with pytest.raises(FailedPrecondition, match="'int'"):
        registry(length="builtins:len").scheduler("length", 7)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'dokcer'; known are: docker, memory"):
        registry(memory="a:b", docker="c:d").scheduler("dokcer", {})


def test_a_name_that_two_packages_declare_is_refused() -> None:
    def find(_: str) -> Iterable[EntryPoint]:
        yield EntryPoint(name="x", value="a:create", group=SCHEDULER_GROUP)
        yield EntryPoint(name="x", value="b:create", group=SCHEDULER_GROUP)

    with pytest.raises(FailedPrecondition, match="uninstall all but one"):
        EngineRegistry(find=find).scheduler("x", {})


def test_the_same_package_found_twice_is_one() -> None:
    entry = EntryPoint(name="memory", value="gofer.engines.scheduler.memory:create", group=SCHEDULER_GROUP)

    assert EngineRegistry(find=lambda _: [entry, entry]).scheduler("memory", {}).name == "memory"


@pytest.mark.parametrize("value", ["no_such_package.engine:create", "gofer.engines.registry:nothing"])
def test_an_engine_that_cannot_be_imported_is_named_with_the_reason(value: str) -> None:
    with pytest.raises(FailedPrecondition, match=r"bad .*can't be loaded: .*(no_such_package|nothing)"):
        registry(bad=value).scheduler("bad", {})


def test_what_is_no_factory_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="can't be called"):
        registry(bad="gofer.engines.registry:SCHEDULER_GROUP").scheduler("bad", {})


def test_what_is_no_engine_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(FailedPrecondition, match=r"lacks __aenter__, .*wait"):
        registry(bad="builtins:str").scheduler("bad", {})


def test_what_a_factory_should_not_raise_is_told_with_its_entry_point() -> None:
    """It ended the start of a server with a traceback where the engine was a store."""
    with pytest.raises(FailedPrecondition) as told:
        registry(length="builtins:len").scheduler("length", 7)

    assert told.value.message == (
        "the scheduler engine length (builtins:len, from an unknown package) can't be made: "
        "TypeError: object of type 'int' has no len()"
    )


def test_what_a_factory_may_raise_is_told_as_it_is() -> None:
    with pytest.raises(InvalidInput, match=r"^give a folder$"):
        registry(wrong="tests.unit.engines.test_registry:refusing").scheduler("wrong", {})


def refusing(_: object) -> None:
    raise InvalidInput("give a folder")


def test_a_package_that_fails_at_its_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gofer_test_failing.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(FailedPrecondition, match=r"bad \(gofer_test_failing:create.*loaded: ZeroDivisionError: "):
        registry(bad="gofer_test_failing:create").scheduler("bad", {})
