"""The reference tells everything that there is; what is made from the code is fresh."""

import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

import gofer_sdk
from docs.generate import DOCS, PARTS, differences, render
from docs.generators.api import Reference, not_served
from docs.generators.command_line import command_names
from docs.generators.configuration import NOT_YET
from gofer.cli.aio import ExitStatus
from gofer.cli.arguments import GLOBAL_SWITCHES, GLOBAL_VALUES, flag_of
from gofer.config.client_settings import DEFAULT_HOST, DEFAULT_PORT, FILE_NAMES, PATH_VARIABLE, SETTING_NAMES
from gofer.config.keys import all_keys
from gofer.config.load import DEFAULT_PATH
from gofer.config.load import PATH_VARIABLE as SERVER_PATH_VARIABLE
from gofer.core.errors import ErrorCode
from gofer.core.events import EVENT_CLASSES
from gofer.core.run import ReasonCode, RunState, TaskState
from gofer.core.variables import system_variables
from gofer.engines.scheduler.memory_script import MemoryKey
from gofer_sdk import client, errors, pipeline
from gofer_sdk.errors import KIND_BY_STATUS, CallFailed
from tests.factories import make_run, make_task

ROOT: Final = DOCS.parent
REFERENCE: Final = DOCS / "pages" / "reference"
GUIDE: Final = DOCS / "pages" / "guide"

_INCLUDE: Final = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
_NOT_THERE_YET: Final = frozenset({"gofer.web"})  # has its layer already
# Written before their parts of the server are: told by the guide when those are there.
_LATER: Final = frozenset({"pipeline_object", "run_object"})


def _text(path: Path) -> str:
    """A page with what it includes."""
    return _INCLUDE.sub(lambda match: (ROOT / match[1]).read_text(), path.read_text())


def _page(name: str) -> str:
    return _text(REFERENCE / name)


def _missing(names: object, page: str) -> list[str]:
    assert isinstance(names, list | tuple | set | frozenset)
    return [name for name in names if f"`{name}`" not in page]


def test_what_is_made_from_the_code_is_fresh() -> None:
    """Where this fails, `python -m docs.generate` writes it anew."""
    assert [] == differences(render())


def test_every_part_is_on_a_page() -> None:
    included = {name for page in (DOCS / "pages").rglob("*.md") for name in _INCLUDE.findall(page.read_text())}

    assert set() == {path.relative_to(ROOT).as_posix() for path in (DOCS / PARTS).glob("*.md")} - included


def test_every_setting_is_told_with_its_variable_and_default() -> None:
    page = _page("configuration.md")

    for key in all_keys():
        (row,) = re.findall(rf"^\| `{re.escape(key.name)}`<br>`{key.variable}` \| .+$", page, re.MULTILINE)
        assert key.meaning.split("\n")[0] in row
        assert key.default_text in row or "sample's" in row
    assert [] == _missing((SERVER_PATH_VARIABLE, str(DEFAULT_PATH)), page)


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_what_the_page_says_to_have_no_effect_has_none(name: str) -> None:
    """Where this fails, the setting has got its effect: take it out of `docs/generators/configuration.py`."""
    assert name in {key.name for key in all_keys()}
    files = [path for path in (ROOT / "gofer").rglob("*.py") if path.parent.name != "config"]

    assert [] == [path.name for path in files if re.search(NOT_YET[name], path.read_text())]


def test_every_command_and_global_option_is_told() -> None:
    page = _page("cli.md")

    assert [] == [name for name in command_names() if f"\n## {name}\n" not in page]
    assert [] == [name for name in (*GLOBAL_VALUES, *GLOBAL_SWITCHES) if f"`{flag_of(name)}" not in page]
    assert [] == _missing(
        (*SETTING_NAMES, PATH_VARIABLE, *(f"~/{name}" for name in FILE_NAMES), str(DEFAULT_HOST)), page
    )
    assert f"without a port means {DEFAULT_PORT}" in page


def test_every_event_kind_is_told_with_its_details() -> None:
    page = _page("events.md")

    for kind, event in EVENT_CLASSES.items():
        (row,) = re.findall(rf"^\| `{kind}`.+$", page, re.MULTILINE)
        details = [each.name for each in fields(event)]
        assert [] == _missing(details, row)
        assert [] == _missing(details, page.partition("## Details")[2])


def test_every_error_state_reason_and_exit_status_is_told() -> None:
    page = _page("outcomes.md")

    for names in (ErrorCode, RunState, TaskState, ReasonCode):
        assert [] == _missing([each.value for each in names], page)
    assert [] == _missing([kind.__name__ for kind in KIND_BY_STATUS.values()], page)
    for error in ErrorCode:
        (row,) = re.findall(rf"^\| `{error.value}` \|.+$", page.partition("## Exit")[0], re.MULTILINE)
        assert 6 == len([cell for cell in row.strip("|").split(" | ") if cell.strip()]), error
    assert all(re.search(rf"^\| {status.value} \|", page, re.MULTILINE) for status in ExitStatus)


def test_every_call_message_and_field_of_the_api_is_told() -> None:
    reference = Reference()
    index = _page("api/index.md")

    assert [] == _missing([call.method.name for call in reference.calls()], index)
    for source in reference.nouns:
        page = _page(f"api/{source.noun}.md")
        for message in source.descriptor.message_type:
            _, _, section = page.partition(f"\n### {message.name} ")
            assert [] == _missing([field.name for field in message.field], section.partition("\n### ")[0] or section)


def test_calls_that_are_not_served_are_marked() -> None:
    index = _page("api/index.md")

    assert not_served() == set(re.findall(r"^\| `(\w+)`.* \*\(not yet\)\* ", index, re.MULTILINE))


def test_every_key_of_the_memory_engine_is_told() -> None:
    assert [] == _missing([key.value for key in MemoryKey], _page("memory-engine.md"))


def test_every_public_name_of_the_sdk_is_told() -> None:
    pages = "".join(_page(name) for name in ("python-client.md", "pipeline-sdk.md"))
    told = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", pages, re.MULTILINE)}
    guide = "".join(path.read_text() for path in GUIDE.glob("*.md"))

    public = {*client.__all__, *pipeline.__all__, *gofer_sdk.__all__} - _LATER
    assert set() == {name for name in public - told if f"gofer_sdk.{name}`" not in guide and not _is_error(name)}


def _is_error(name: str) -> bool:
    """Whether a name is told by the page as a whole, which shows all of the errors' module."""
    kind = getattr(errors, name, None)
    return isinstance(kind, type) and issubclass(kind, CallFailed)


def test_every_module_that_a_concept_names_is_there() -> None:
    pages = "".join(path.read_text() for path in (DOCS / "pages" / "concepts").glob("*.md"))
    named = set(re.findall(r"`(gofer(?:_sdk)?(?:\.[a-z_]+)+)`", pages)) - _NOT_THERE_YET

    assert "gofer.core.machine" in named
    assert [] == [name for name in sorted(named) if find_spec(name) is None]


def test_every_variable_of_the_system_is_told() -> None:
    assert [] == _missing(tuple(system_variables(make_run(), make_task())), (GUIDE / "variables.md").read_text())
