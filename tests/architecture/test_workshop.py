import subprocess

import pytest

from tests.architecture.source import ROOT


def _dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "dev", *arguments], check=False, capture_output=True, text=True, cwd="/")


def test_dev_tells_its_commands_from_any_folder() -> None:
    helped = _dev("help")

    assert 0 == helped.returncode
    for command in ("demo", "test", "bench", "torture", "docs", "docker", "languages", "nox", "lock"):
        assert f"./dev {command}" in helped.stdout


def test_dev_refuses_a_command_that_it_does_not_have_and_tells_those_that_it_has() -> None:
    refused = _dev("tset")

    assert 2 == refused.returncode
    assert "there is no 'tset'" in refused.stderr
    assert "./dev test" in refused.stderr


@pytest.mark.parametrize(
    "script", ["dev", "dev.d/docker", "dev.d/environment", "dev.d/languages", "dev.d/lock", "dev.d/test", ".ci/run"]
)
def test_every_script_of_the_workshop_can_be_started_and_parses(script: str) -> None:
    path = ROOT / script

    assert path.stat().st_mode & 0o111
    assert "#!/bin/sh" == path.read_text().splitlines()[0]
    subprocess.run(["sh", "-n", path], check=True)
