"""An author runs the suite against an engine that is not ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from gofer.config.load import load_settings
from gofer.core.errors import InvalidInput
from gofer.engines.registry import EngineRegistry
from tests.conformance.given import KINDS, VARIABLE, engines, given
from tests.fakes.package import install

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "examples" / "engine"
FILE: Final = "tests/conformance/test_secret_stores.py"
FORGETFUL: Final = """
from pathlib import Path
from gofer_shelf import Shelf
class Case:
    kind = "secret_store"
    name = "forgetful"
    def __init__(self, folder):
        self._folder = folder
    def make(self):
        return Forgetful(self._folder / "shelf")
class Forgetful(Shelf):
    async def delete(self, key):
        pass
"""


def suite(case: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as the page tells its authors to, without what takes long."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "GOFER_TEST_CLOSING": "",  # what comes of it is not what comes of this run
            VARIABLE: case,
            "PYTHONPATH": os.pathsep.join((str(folder), str(EXAMPLE))),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_engine_from_elsewhere_passes_what_is_about_its_kind_and_nothing_else_is_run() -> None:
    ended = suite("shelf_case:Case", EXAMPLE, "tests/conformance", "-k", "not however_many", "-vv")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = [line for line in ended.stdout.splitlines() if "::" in line]
    assert len(told) > 8
    assert [] == [line for line in told if FILE not in line or "[given" not in line]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_engine_that_breaks_its_promises_fails(tmp_path: Path) -> None:
    (tmp_path / "forgetful_case.py").write_text(FORGETFUL)

    ended = suite("forgetful_case:Case", tmp_path, FILE, "-k", "deleted_is_gone or put_comes_back")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed, 4 passed" in ended.stdout


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("shelf_case", "must be written as module:Case"),
        ("no_such_module:Case", "is its folder in PYTHONPATH"),
        ("tests.conformance.cases:NoCase", "is its folder in PYTHONPATH"),
        ("tests.conformance.cases:Behaviour", "must say its kind"),
    ],
)
def test_what_is_no_case_is_refused_with_the_fix(text: str, fault: str) -> None:
    with pytest.raises(pytest.UsageError, match=fault):
        given({VARIABLE: text})


def test_without_an_engine_from_elsewhere_ours_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert given({}) is None
    assert [("ours",)] * 3 == [engines(kind, "ours") for kind in KINDS]


def test_the_example_is_found_by_what_its_package_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(declared, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    registry = EngineRegistry()

    settings = load_settings(
        config_path=EXAMPLE / "shelf.hcl",
        dev_mode=True,
        environment={},
        home=tmp_path,
        engines=registry.names_by_block,
    ).settings
    store = settings.secret_store

    assert "shelf" in registry.secret_store_names
    assert "shelf" == registry.secret_store(store.engine, store.other["shelf"]).name
    with pytest.raises(InvalidInput, match="must name a folder"):
        registry.secret_store("shelf", {})
    with pytest.raises(InvalidInput, match="foldre is not known"):
        registry.secret_store("shelf", {"foldre": str(tmp_path)})
