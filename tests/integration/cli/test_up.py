"""`gofer up` takes programs, messages and JSON, and tells what is wrong with them."""

import io
import sys
from pathlib import Path

import pytest

from gofer_sdk.codec import encode
from gofer_sdk.pipeline import Pipeline, Task
from tests.integration.cli.conftest import Gofer

pytestmark = pytest.mark.timeout(60)


def message(name: str) -> Pipeline:
    """Make a pipeline of one task."""
    return Pipeline(id=name, tasks=[Task(id="only", image="i", script="echo x")])


def test_a_ready_message_is_registered_binary_or_json_from_a_file(gofer: Gofer, tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(encode(message("from_bin").to_message()))
    (tmp_path / "one.json").write_text(message("from_json").to_message().to_json())

    assert gofer("up", str(tmp_path / "one.bin")).status == 0
    assert gofer("up", str(tmp_path / "one.json")).status == 0
    assert gofer("run", "start", "from_json", "--wait").status == 0
    assert gofer("run", "start", "from_bin", "--wait").status == 0


def test_a_message_comes_on_the_standard_input(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(message("from_stdin").to_message())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    done = gofer("up", "-")

    assert done.status == 0
    assert "registered from_stdin" in done.err


def test_without_a_deployment_nothing_goes_live(gofer: Gofer, tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(encode(message("shelved").to_message()))

    done = gofer("up", "--no-deploy", str(tmp_path / "one.bin"))

    assert done.status == 0
    assert "deployed" not in done.err
    assert gofer("run", "start", "shelved").status == 1


def test_the_current_folder_is_taken_by_itself(gofer: Gofer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").write_text(
        "from gofer_sdk.pipeline import *\nPipeline(id='from_here', tasks=[Task(id='only', image='i')]).emit()\n"
    )
    monkeypatch.chdir(tmp_path)

    assert gofer("up").status == 0


def test_faults_are_told_with_file_and_line_and_the_command_to_repeat(gofer: Gofer, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.py"
    file.write_text(
        "import sys\nfrom gofer_sdk.pipeline import *\nprint('working on it', file=sys.stderr)\n"
        "p = Pipeline(id='a', tasks=[Task(id='b', image='')])\n"
    )

    people, programs = gofer("up", str(file)), gofer("up", str(file), "--format", "json")

    for done in (people, programs):
        assert done.status == 1
        assert done.out == ""
        assert "pipeline.py:4: pipeline id 'a' is too short" in done.err
        assert "it has no image" in done.err
        assert f"run it by hand: cd {tmp_path} && " in done.err
        assert done.err.count("working on it") == 1


def test_a_server_that_refuses_lists_every_fault(gofer: Gofer, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(
        '{"id": "a-b", "tasks": [{"id": "one", "image": "i", "dependsOn": {"two": "ANY"}}, '
        '{"id": "two", "image": "", "dependsOn": {"one": "SUCCESS"}}]}'
    )

    done = gofer("up", str(tmp_path / "bad.json"))

    assert done.status == 1
    assert "pipeline id 'a-b'" in done.err
    assert "it has no image" in done.err
    assert "one -> two -> one" in done.err


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.txt", "hello", "gave no pipeline: it is no message of protobuf"),
        ("x.json", '{"id": 5}', "gave no pipeline: its JSON does not fit"),
        ("x.json", "", "gave no pipeline: it is empty"),
    ],
)
def test_what_is_no_pipeline_is_told(gofer: Gofer, tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)

    done = gofer("up", str(tmp_path / name))

    assert done.status == 1
    assert expected in done.err


def test_a_place_with_nothing_or_too_much_in_it_is_told(gofer: Gofer, tmp_path: Path) -> None:
    nothing = gofer("up", str(tmp_path))
    (tmp_path / "pipeline.py").touch()
    (tmp_path / "go.mod").touch()
    too_much = gofer("up", str(tmp_path))

    assert nothing.status == too_much.status == 1
    assert "there is no pipeline in" in nothing.err
    assert "--lang python (pipeline.py), --lang go (go.mod)" in too_much.err
