import json
import os
import stat
from pathlib import Path

import pytest

from gofer.cli.root import build
from gofer.config.keys import all_keys
from gofer.config.sample import sample_config


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        build()(list(arguments))
    return int(ended.value.code or 0)


def test_a_configuration_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "gofer.hcl"

    status = run("service", "init-config", "--filepath", str(path))

    assert status == 0
    assert path.read_text() == sample_config()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gofer.hcl"
    path.write_text("mine")

    refused = run("service", "init-config", "-f", str(path))
    kept = path.read_text()
    replaced = run("service", "init-config", "-f", str(path), "--force")

    assert (refused, kept, replaced) == (1, "mine", 0)
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == sample_config()


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    status = run("service", "init-config", "-f", str(pipe), "--force")

    assert status == 1
    assert f"{pipe} can't be written: it is no regular file" in capsys.readouterr().err
    assert pipe.is_fifo()
    assert [pipe] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("service", "init-config", "-f", str(tmp_path / "none" / "gofer.hcl")) == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_faults_of_a_configuration_are_lines_and_an_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gofer.hcl"
    path.write_text("sever {}\nlog_level = 3\n")

    status = run("--config", str(path), "service", "check-config")
    told = capsys.readouterr()

    assert status == 1
    assert told.out == ""
    assert "line 1: sever is not known; did you mean server?" in told.err
    assert "line 2: log_level" in told.err


def test_a_check_is_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gofer.hcl"
    path.write_text(f'server {{\n storage_path = "{tmp_path}/data/gofer.db"\n}}\n')

    status = run("--config", str(path), "--format", "json", "service", "check-config", "--dev-mode")
    found = json.loads(capsys.readouterr().out)

    assert status == 0
    assert found["faults"] == []
    assert found["path"] == str(path)
    assert any("authentication is off" in warning for warning in found["warnings"])


def test_the_help_of_start_lists_every_variable_and_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    status = run("service", "start", "--help")
    text = capsys.readouterr().out

    assert status == 0
    assert [] == [key.variable for key in all_keys() if f"  {key.variable}\n" not in text]
    assert "changeme" not in text
