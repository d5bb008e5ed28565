"""Programs that behave badly end in words, and with all that they have started."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.processes import wait_until_gone
from tests.integration.cli.conftest import Gofer

pytestmark = pytest.mark.timeout(60)

HANGING = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
print(os.getpid(), child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


def written(folder: Path, text: str) -> str:
    (folder / "pipeline.py").write_text(text)
    return str(folder)


def test_garbage_is_shown_with_what_the_output_is_for(gofer: Gofer, tmp_path: Path) -> None:
    done = gofer("up", written(tmp_path, "print('hello, world')"))

    assert done.status == 1
    assert f"the program in {tmp_path} printed no pipeline" in done.err
    assert "what it printed begins with b'hello, world\\n'" in done.err
    assert "has to hold the message and nothing else: print the rest as errors (stderr)" in done.err


def test_a_message_before_a_failure_registers_nothing(gofer: Gofer, tmp_path: Path) -> None:
    text = "import sys\nfrom gofer_sdk.pipeline import *\nPipeline(id='failing', tasks=[]).emit()\nsys.exit(7)\n"

    done = gofer("up", written(tmp_path, text))

    assert done.status == 1
    assert "the program ended with the exit status 7" in done.err
    assert "run it by hand" in done.err
    assert gofer("pipeline", "get", "failing").status == 3


def test_a_gigabyte_is_refused(gofer: Gofer, tmp_path: Path) -> None:
    text = "import os\nfor _ in range(1024): os.write(1, bytes(2**20))\n"
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "cargo"
    tool.write_text(f"#!{sys.executable}\n{text}")
    tool.chmod(0o755)
    (tmp_path / "Cargo.toml").touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
        done = gofer("up", str(tmp_path / "Cargo.toml"))

    assert done.status == 1
    assert "the program wrote more than 64 MiB, which is no pipeline" in done.err


def test_a_program_that_hangs_is_ended_after_its_time(gofer: Gofer, tmp_path: Path) -> None:
    path = written(tmp_path, HANGING)
    # A machine that is too busy to start it within the first time gets more.
    tries = (gofer("up", "--timeout", limit, path) for limit in ("2s", "6s", "20s"))
    done = next(each for each in tries if each.err[:1].isdigit())

    assert done.status == 1
    assert "the program was not done in time, and was ended" in done.err
    assert "--timeout 30m" in done.err
    wait_until_gone(*map(int, done.err.split("\n", 1)[0].split()))


@pytest.mark.parametrize(("given", "expected"), [("soon", "is not a duration"), ("-1s", "less than nothing")])
def test_a_time_that_is_none_is_refused(gofer: Gofer, tmp_path: Path, given: str, expected: str) -> None:
    done = gofer("up", "--timeout", given, str(tmp_path))

    assert done.status == 2
    assert expected in done.err


@contextmanager
def hanging(folder: Path, home: Path) -> Iterator[tuple["subprocess.Popen[bytes]", list[int]]]:
    """Run `gofer up` of a program that hangs; give it, and the program's processes."""
    with subprocess.Popen(
        [sys.executable, "-m", "gofer", "up", written(folder, HANGING)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        try:
            yield process, [int(pid) for pid in process.stderr.readline().split()]
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_ends_the_program_with_all_its_children(
    tmp_path: Path, home: Path, number: signal.Signals, status: int
) -> None:
    with hanging(tmp_path, home) as (process, pids):
        process.send_signal(number)

        assert process.wait() == status

    assert len(pids) == 2
    wait_until_gone(*pids)
