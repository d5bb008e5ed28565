"""A real server with the process engine, and the command line run against it in the test's own process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofer.cli import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a call of the command line came to."""

    status: int
    out: str
    err: str


Gofer = Callable[..., Done]


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the server of a module keeps."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[str]:
    """The address of a server that runs for all tests of a module."""
    folder = server_folder
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.killable_server", str(folder), "process"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:1] == [b"ready"], (folder / "server.log").read_text(errors="replace")
        yield f"127.0.0.1:{int(words[1])}"
    finally:
        process.terminate()
        process.communicate(timeout=40)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no settings in the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("NAMESPACE", "HOST", "TOKEN", "TLS_CA", "FORMAT", "DETAIL", "NO_COLOR", "CONFIG_PATH"):
        monkeypatch.delenv(f"GOFER_CLI_{name}", raising=False)
    return folder


@pytest.fixture
def gofer(server: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gofer:
    """Run the command line against the server."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["gofer", *arguments, "--host", server])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Done(status=code if isinstance(code, int) else 0, out=captured.out, err=captured.err)

    return run
