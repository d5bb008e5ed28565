import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.fakes.waiting import wait_until


def _dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "dev", *arguments], check=False, capture_output=True, text=True, cwd="/")


def test_dev_tells_its_commands_from_any_folder() -> None:
    helped = _dev("help")

    assert 0 == helped.returncode
    for command in ("demo", "test", "bench", "torture", "fuzz", "docs", "docker", "languages", "nox", "lock"):
        assert f"./dev {command}" in helped.stdout


def test_dev_refuses_a_command_that_it_does_not_have_and_tells_those_that_it_has() -> None:
    refused = _dev("tset")

    assert 2 == refused.returncode
    assert "there is no 'tset'" in refused.stderr
    assert "./dev test" in refused.stderr


@pytest.mark.parametrize(
    "script",
    [
        *("dev", "dev.d/docker", "dev.d/environment", "dev.d/fuzz", "dev.d/languages", "dev.d/lock", "dev.d/test"),
        ".ci/run",
    ],
)
def test_every_script_of_the_workshop_can_be_started_and_parses(script: str) -> None:
    path = ROOT / script

    assert path.stat().st_mode & 0o111
    assert "#!/bin/sh" == path.read_text().splitlines()[0]
    subprocess.run(["sh", "-n", path], check=True)


NOX = """
import os, sys, time
lane = "apart" if "integration" in sys.argv else "rest"
print(f"{lane} begins with {sys.argv[-1]}", flush=True)
if os.environ["FAILS"] == lane:
    sys.exit(7)
if os.environ["HANGS"] == lane:
    try:
        open(os.environ["BEGUN"], "w").close()
        time.sleep(600)
    except KeyboardInterrupt:
        print(f"{lane} was interrupted", flush=True)
        sys.exit(1)
"""


def _lanes(folder: Path, *, fails: str = "", hangs: str = "") -> "subprocess.Popen[str]":
    """Run the lanes with a made-up nox, in a project of its own."""
    (folder / "dev.d").mkdir()
    (folder / "dev.d" / "lanes.py").write_text((ROOT / "dev.d" / "lanes.py").read_text())
    (folder / "nox.py").write_text(NOX)
    made_up = {"PYTHONPATH": str(folder), "FAILS": fails, "HANGS": hangs, "BEGUN": str(folder / "begun")}
    return subprocess.Popen(
        [sys.executable, "dev.d/lanes.py", "given"],
        cwd=folder,
        env=os.environ | made_up,
        stdout=subprocess.PIPE,
        text=True,
    )


two_processors = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one lane only")


@two_processors
def test_the_sessions_run_in_two_lanes_and_both_are_shown(tmp_path: Path) -> None:
    with _lanes(tmp_path) as lanes:
        shown, _ = lanes.communicate()

    assert 0 == lanes.returncode
    assert "rest begins with given" in shown
    assert "apart begins with given" in shown


@two_processors
@pytest.mark.parametrize(("fails", "hangs"), [("rest", "apart"), ("apart", "rest")])
def test_a_lane_that_fails_ends_the_other(tmp_path: Path, fails: str, hangs: str) -> None:
    with _lanes(tmp_path, fails=fails, hangs=hangs) as lanes:
        lanes.communicate()

    assert 7 == lanes.returncode


@two_processors
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupt_ends_both_lanes(tmp_path: Path, number: signal.Signals) -> None:
    with _lanes(tmp_path, hangs="apart") as lanes:
        wait_until(lambda: (tmp_path / "begun").exists() or lanes.poll() is not None)
        lanes.send_signal(number)
        shown, _ = lanes.communicate()

    assert 130 == lanes.returncode
    assert "apart was interrupted" in shown
