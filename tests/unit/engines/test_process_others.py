"""What of a task is another user's, since the task had the means to be another: `sudo`, a container of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofer.engines.process.folder import clear_leftovers
from gofer.engines.process.group import Shim, end_group, parse_shim, read_boot_id, signal_group
from tests.fakes.users import ANOTHER, as_another_user, needs_root

pytestmark = needs_root


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder of the other user's, which that one can reach."""
    folder = Path(tempfile.mkdtemp(prefix="gofer-others-"))
    os.chown(folder, ANOTHER, -1)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def sleeper() -> "Iterator[subprocess.Popen[bytes]]":
    """A process of root's, the first of a session."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as process:
        yield process
        process.kill()


def test_what_another_user_left_in_a_folder_keeps_no_server_from_starting(root: Path) -> None:
    with as_another_user():
        for name in (".gone-1", ".gone-2"):
            (root / name / "work" / "own").mkdir(parents=True)
    (root / ".gone-1" / "work" / "theirs" / "inner").mkdir(parents=True)

    with as_another_user():
        left = clear_leftovers(root)

    assert left == (root / ".gone-1",)
    assert [path.name for path in root.iterdir()] == [".gone-1"]
    assert [path.name for path in (root / ".gone-1" / "work").iterdir()] == ["theirs"]


def test_a_group_of_another_user_s_is_let_be(sleeper: "subprocess.Popen[bytes]") -> None:
    shim = shim_of(sleeper.pid)

    with as_another_user():
        signal_group(shim.pid, signal.SIGKILL)
        end_group(shim, shim.boot)

    assert sleeper.poll() is None


def shim_of(pid: int) -> Shim:
    shim = parse_shim(f"{read_boot_id()} {Path(f'/proc/{pid}/stat').read_text()}")
    assert shim is not None
    return shim
