"""`gofer service start`, as people and service managers use it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "gofer"]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with a free port and the memory engine."""
    file = tmp_path / "gofer.hcl"
    file.write_text(
        f"""
        server {{
          host         = "127.0.0.1:0"
          address      = "127.0.0.1:0"
          storage_path = "{tmp_path}/data/gofer.db"
        }}
        task_run_logs_dir = "{tmp_path}/data/logs"
        scheduler {{
          engine = "memory"
        }}
        """
    )
    return file


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


@contextmanager
def started(*arguments: str, environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a server; gives its process and the address that it listens at, and ends it if it still runs."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,  # else a terminal of the tests' own would count
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = None
        while address is None and (line := process.stderr.readline()):
            address = re.search(r" listening .* address=(\S+)", line)
        try:
            assert address is not None, "the server ended before it listened"
            yield process, address[1]
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_runs_until_it_is_told_to_stop(
    config: Path, environment: dict[str, str], stop: signal.Signals
) -> None:
    with started("service", "start", "--dev-mode", "--config", str(config), environment=environment) as (process, host):
        asked = subprocess.run(
            [*PROGRAM, "service", "info", "--host", host], env=environment, capture_output=True, text=True, check=True
        )
        process.send_signal(stop)
        printed, talk = process.communicate()

    assert re.search(r"^Commit    ([0-9a-f]{7}|-)$", asked.stdout, re.MULTILINE)  # "-": neither built nor a checkout
    assert "Mode      development" in asked.stdout
    assert "Engine    memory" in asked.stdout
    assert "memory engine is in use: it runs no program" in " ".join(asked.stdout.split())
    assert process.returncode == 0
    assert printed == ""
    assert "stopping; containers go on running" in talk


def test_the_configuration_may_be_named_before_the_command_too(config: Path, environment: dict[str, str]) -> None:
    with started("--config", str(config), "service", "start", "-d", environment=environment) as (process, _):
        process.terminate()
        process.communicate()

    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        ((), "", r"there is no certificate(.|\n)*the sample's"),
        (("--dev-mode",), "sever {}", r"line 1: sever is not known; did you mean server\?"),
        (("--dev-mode",), "server {", "line 1"),
        (("--dev-mode",), 'scheduler { engine = "dokcer" }', "dokcer"),
    ],
)
def test_a_server_that_cannot_run_says_why_in_lines_and_ends_with_1(
    tmp_path: Path, environment: dict[str, str], *, arguments: tuple[str, ...], text: str, expected: str
) -> None:
    file = tmp_path / "gofer.hcl"
    file.write_text(text)

    done = subprocess.run(
        [*PROGRAM, "service", "start", *arguments, "--config", str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert re.search(expected, done.stderr), done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "def create(settings): raise KeyError('bucket')",
            (
                r"the object store engine shelf \(gofer_test_shelf:create, from gofer-test-shelf\) can't be made: "
                r"KeyError: 'bucket'"
            ),
        ),
        (
            (
                "from gofer.engines.object_store.memory import MemoryObjectStore\n"
                "class Shelf(MemoryObjectStore):\n"
                "    async def __aenter__(self): raise PermissionError(13, 'Permission denied', '/shelf')\n"
                "def create(settings): return Shelf()"
            ),
            r"the object store shelf can't be opened: PermissionError: \[Errno 13\] Permission denied: '/shelf'",
        ),
    ],
)
def test_a_store_of_another_package_that_fails_is_told_in_words_and_ends_with_1(
    tmp_path: Path, config: Path, environment: dict[str, str], *, code: str, expected: str
) -> None:
    (tmp_path / "gofer_test_shelf.py").write_text(code)
    folder = tmp_path / "gofer_test_shelf-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: gofer-test-shelf\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[gofer.object_store_engines]\nshelf = gofer_test_shelf:create\n")
    config.write_text(config.read_text() + '\nobject_store { engine = "shelf" }\n')

    done = subprocess.run(
        [*PROGRAM, "service", "start", "--dev-mode", "--config", str(config)],
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert re.search(expected, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*PROGRAM, "service", "start", "--dev-mode", "--config", "/nowhere/gofer.hcl"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "there is no configuration file /nowhere/gofer.hcl" in done.stderr


def test_systemd_hears_of_start_life_reload_and_stop(config: Path, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secret_store.sqlite.encryption_key").write_text("0123456789abcdef0123456789abcdef\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(40)
        environment |= {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "200000",
            "CREDENTIALS_DIRECTORY": str(tmp_path),
        }

        def heard(beginning: str) -> str:
            while not (message := manager.recv(1000).decode()).startswith(beginning):
                assert message == "WATCHDOG=1", message
            return message

        arguments = ("service", "start", "--dev-mode", "--config", str(config))
        with started(*arguments, environment=environment) as (process, _):
            ready = heard("READY=1")
            heard("WATCHDOG=1")
            config.write_text(config.read_text() + '\nlog_level = "debug"\nrun_parallelism_limit = 3\n')
            process.send_signal(signal.SIGHUP)
            heard("RELOADING=1")
            again = heard("READY=1")
            config.write_text(config.read_text() + "\nsever {}\n")
            process.send_signal(signal.SIGHUP)
            heard("RELOADING=1")
            heard("READY=1")
            process.terminate()
            heard("STOPPING=1")
            _, talk = process.communicate()

    assert process.returncode == 0
    assert "STATUS=listening on 127.0.0.1:" in ready
    assert again == ready
    assert "the certificate and the log level are those of the settings now" in talk
    assert "other settings have changed too" in talk
    assert "did you mean server?" in talk
    assert "the settings stay as they were" in talk
    assert not (tmp_path / "data" / "encryption.key").exists()


def test_a_server_ends_when_a_command_asks_it_to(config: Path, environment: dict[str, str]) -> None:
    with started("service", "start", "--dev-mode", "--config", str(config), environment=environment) as (process, host):
        stop = [*PROGRAM, "service", "stop", "--drain", "--host", host, "--timeout"]
        wrong = subprocess.run([*stop, "0s", "--yes"], env=environment, capture_output=True, text=True, check=False)
        asked = subprocess.run(
            [*stop, "1m", "--yes", "--format", "json"], env=environment, capture_output=True, text=True, check=False
        )
        _, talk = process.communicate()

    assert wrong.returncode == 2
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == {"stopping": True}
    assert process.returncode == 0
    assert "the server stops" in talk
    assert "stopping; containers go on running" in talk
