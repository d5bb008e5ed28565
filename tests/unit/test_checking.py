import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gofer.checking import Checked, check
from gofer.tls import make_certificate

NOW = datetime.now(UTC)
KEY = "0123456789abcdef0123456789abcdef"


def pair(folder: Path, name: str = "server", *, now: datetime = NOW) -> dict[str, str]:
    made = make_certificate(("localhost",), now=now)
    begin = made.index(b"-----BEGIN PRIVATE KEY")
    (folder / f"{name}.crt").write_bytes(made[:begin])
    (folder / f"{name}.key").write_bytes(made[begin:])
    return {
        f"GOFER_{name.upper()}__TLS_CERT_PATH": str(folder / f"{name}.crt"),
        f"GOFER_{name.upper()}__TLS_KEY_PATH": str(folder / f"{name}.key"),
    }


def fit(folder: Path) -> dict[str, str]:
    return {
        "GOFER_SERVER__STORAGE_PATH": str(folder / "data" / "gofer.db"),
        "GOFER_SECRET_STORE__SQLITE__ENCRYPTION_KEY": KEY,
        **pair(folder),
    }


def checked(environment: Mapping[str, str], *, dev_mode: bool = False) -> Checked:
    return check(config_path=None, dev_mode=dev_mode, environment=environment)


def test_fit_settings_have_no_fault_and_nothing_is_made(tmp_path: Path) -> None:
    found = checked(fit(tmp_path))

    assert () == found.faults
    assert () == found.warnings
    assert found.settings is not None
    assert not (tmp_path / "data").exists()


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {
        "GOFER_SERVER__TLS_CERT_PATH": str(tmp_path / "none.crt"),
        "GOFER_SERVER__TLS_KEY_PATH": str(tmp_path / "none.key"),
        "GOFER_SERVER__STORAGE_PATH": str(tmp_path / "file" / "gofer.db"),
        "GOFER_SECRET_STORE__ENGINE": "vault",
        "GOFER_DEVELOPMENT__BYPASS_AUTH": "true",
    }

    found = checked(environment).faults

    expected = [
        "development.bypass_auth lets everybody in",
        "encryption_key is the sample's",
        "secret_store.engine is 'vault', which is not installed; known are: memory, sqlite",
        f"there is no file {tmp_path}/none.crt",
        f"server.storage_path: {tmp_path}/file is not a folder",
        f"task_run_logs_dir: {tmp_path}/file is not a folder",
    ]
    for text in expected:
        assert [each for each in found if text in each], (text, found)
    assert len(expected) == len(found)


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    other = pair(tmp_path, "extensions")
    environment = fit(tmp_path) | {"GOFER_SERVER__TLS_KEY_PATH": other["GOFER_EXTENSIONS__TLS_KEY_PATH"]}

    (fault,) = checked(environment).faults

    assert "the key does not belong to the certificate" in fault


def test_extensions_get_neither_the_servers_certificate_nor_its_key(tmp_path: Path) -> None:
    environment = fit(tmp_path)
    (tmp_path / "link.crt").symlink_to(environment["GOFER_SERVER__TLS_CERT_PATH"])
    environment["GOFER_EXTENSIONS__TLS_CERT_PATH"] = str(tmp_path / "link.crt")
    environment["GOFER_EXTENSIONS__TLS_KEY_PATH"] = environment["GOFER_SERVER__TLS_KEY_PATH"]

    (fault,) = checked(environment).faults

    assert "extensions.tls_cert_path is the server's own certificate" in fault


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        (NOW - timedelta(days=400), "ended on"),
        (NOW + timedelta(days=2), "is not valid before"),
        (NOW - timedelta(days=360), "renew it"),
    ],
)
def test_a_certificate_out_of_its_time_is_worth_a_warning(tmp_path: Path, begun: datetime, words: str) -> None:
    environment = fit(tmp_path) | pair(tmp_path, now=begun)

    (warning,) = checked(environment).warnings

    assert words in warning


def test_a_folder_that_others_may_read_is_told_with_the_command_that_closes_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)

    (fault,) = checked(fit(tmp_path)).faults

    assert f"chmod 700 {tmp_path}/data" in fault


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    # Root may write everywhere, but where this power is taken from it.
    as_anybody = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
    program = "from gofer.checking import check; print(*check(config_path=None, dev_mode=False).faults, sep='\\n')"

    done = subprocess.run(
        [*as_anybody, sys.executable, "-c", program],
        env={**os.environ, **fit(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )

    data, logs = done.stdout.splitlines()
    assert f"may write nothing in {tmp_path}/data: give it to that user" in data
    assert f"so that the folder {tmp_path}/data/logs can't be made" in logs


def test_dev_mode_needs_no_files_at_all(tmp_path: Path) -> None:
    found = checked({"XDG_STATE_HOME": str(tmp_path)}, dev_mode=True)

    assert () == found.faults
