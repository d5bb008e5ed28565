"""Every command in every format, on one real server: what people, programs and scripts get."""

import io
import json
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gofer.config.client_flags import OutputFormat
from tests.integration.cli.conftest import ROOT, Done, Gofer
from tests.integration.cli.every_command import TABLE, Row

RUN_HERE = sorted(name for name, row in TABLE.items() if not row.elsewhere)
NAMES = count(1)

pytestmark = pytest.mark.timeout(60)

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def prepared() -> dict[str, Path]:
    """The folders of the pipelines that are there by now, by their ids."""
    return {}


@pytest.fixture
def folder(gofer: Gofer, prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the pipeline `every`, which is registered and has run once."""
    if "every" not in prepared:
        place = prepared["every"] = tmp_path_factory.mktemp("program")
        (place / "pipeline.py").write_text(
            "from gofer_sdk.pipeline import Pipeline, Task\n"
            "pipeline = Pipeline(id='every', tasks=[Task(id='only', image='i', script='echo text')])\n"
        )
        assert gofer("up", str(place)).status == 0
        assert gofer("run", "start", "every", "--wait").status == 0
    return prepared["every"]


@pytest.fixture
def call(gofer: Gofer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command of the table in a format, after what it needs."""

    def run(name: str, row: Row, style: str) -> Done:
        fresh = f"name_{next(NAMES)}"
        words = {"p": "every", "n": fresh, "dir": str(folder), "new": str(folder / f"{fresh}.hcl")}
        for before in row.before:
            done = gofer(*(word.format_map(words) for word in before), "--format", "json")
            assert done.status == 0, done.err
            words |= made_by(before, json.loads(done.out.splitlines()[-1]))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(row.stdin.encode())))
        return gofer(*name.split(), *(word.format_map(words) for word in row.arguments), "--format", style)

    return run


def made_by(call: tuple[str, ...], reply: dict[str, Any]) -> dict[str, str]:
    """Give what a call has made, by the word for it."""
    match call:
        case ("service", "token", *_):
            return {"token": reply["details"]["id"]}
        case ("run", "start", *_):
            return {"run": reply["id"]}
        case ("up", *_):
            return {"version": reply["config"]["version"]}
        case _:
            return {}


def test_what_is_tested_elsewhere_is_there() -> None:
    for name, row in TABLE.items():
        assert not row.elsewhere or (ROOT / row.elsewhere).is_file(), name


@pytest.mark.parametrize("name", RUN_HERE)
def test_each_command_serves_people_programs_and_scripts(call: Call, name: str) -> None:
    row = TABLE[name]

    pretty, printed, silent = (call(name, row, each) for each in OutputFormat)

    expected = {0, 1} if row.once else {0}
    assert {pretty.status, printed.status, silent.status} <= expected, pretty.err + printed.err
    assert pretty.out or pretty.err
    assert "\x1b" not in pretty.out + pretty.err  # no terminal
    assert (silent.out, silent.err) == ("", "")
    if printed.status == 0:
        messages = [json.loads(line) for line in printed.out.splitlines()]
        assert messages, "programs get nothing"
        assert messages[-1] == {} if row.key is None else row.key in messages[-1]
