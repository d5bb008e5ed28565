"""The unit that a server runs under, as systemd itself sees it where it is installed."""

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from gofer.config.keys import all_keys
from gofer.config.settings import Settings

UNIT: Final = Path(__file__).resolve().parents[2] / "packaging" / "gofer.service"
MOST_EXPOSED: Final = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as it would be where the program is installed."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/gofer/bin/gofer", shutil.which("true") or "/bin/true"))
    return copy


@needs_systemd
def test_systemd_has_nothing_to_say_against_it(installed: Path) -> None:
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed)], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_it_little_exposed(installed: Path) -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(installed)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    found = re.search(r"Overall exposure level for gofer\.service: ([\d.]+)", said)

    assert found is not None, said
    assert float(found[1]) <= MOST_EXPOSED


def test_it_says_what_the_server_counts_on() -> None:
    assert values("Type") == ["notify"]
    assert values("ExecReload") == ["kill -HUP $MAINPID"]
    assert values("StateDirectory") == ["gofer"]
    assert values("NoNewPrivileges") == ["yes"]
    assert values("CapabilityBoundingSet") == [""]
    assert values("ProtectSystem") == ["strict"]
    assert values("User") == ["gofer"]
    assert int(values("WatchdogSec")[0]) > 0


def test_systemd_waits_longer_for_the_stop_than_the_server_takes() -> None:
    assert timedelta(seconds=int(values("TimeoutStopSec")[0])) > Settings().server.shutdown_timeout


def test_each_credential_is_named_as_a_key() -> None:
    names = {value.partition(":")[0] for value in values("LoadCredential")}

    assert names
    assert names <= {key.name for key in all_keys()}
