"""Pipelines in Go and Rust are built, run, registered, and their runs succeed."""

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, Gofer

pytestmark = [pytest.mark.languages, pytest.mark.slow, pytest.mark.timeout(540)]

# Read before a test has a home folder of its own, in which a toolchain would find nothing.
CACHES = {
    name: os.environ.get(name, str(Path.home() / folder))
    for name, folder in (
        ("GOPATH", "go"),
        ("GOCACHE", ".cache/go-build"),
        ("CARGO_HOME", ".cargo"),
        ("RUSTUP_HOME", ".rustup"),
        ("CARGO_TARGET_DIR", str(ROOT / ".dev" / "cargo-target")),
    )
}


@pytest.fixture(autouse=True)
def caches(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched and compiled once is found again."""
    for name, folder in CACHES.items():
        monkeypatch.setenv(name, folder)


def copied(name: str, folder: Path) -> Path:
    """Copy an example to where nothing of it is compiled yet."""
    target = folder / name
    shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns("target"))
    return target


@pytest.mark.parametrize(
    ("name", "progress", "said"),
    [
        ("hello_go", "example.com/hello_go/wire", b"hello from Go\n"),
        ("hello_rust", "Compiling hello_rust", b"hello from Rust\n"),
    ],
)
def test_an_example_is_built_and_registered_and_its_run_succeeds(
    gofer: Gofer, tmp_path: Path, name: str, progress: str, said: bytes
) -> None:
    folder = copied(name, tmp_path)
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, again = gofer("up", str(folder)), gofer("up", str(folder))
    run = gofer("run", "start", name, "--wait")

    assert (first.status, again.status, run.status) == (0, 0, 0), first.err + again.err + run.err
    assert progress in first.err
    assert f"{name} has 2 tasks\n" in first.err
    assert first.err.index(progress) < first.err.index("has 2 tasks") < first.err.index(f"registered {name}")
    assert "nothing was registered" in again.err
    assert gofer("taskrun", "logs", name, "1", "greet").out.encode() == said
    # Neither a lock file nor anything else has been touched.
    assert files == {path: (folder / path).read_bytes() for path in files}


@pytest.mark.parametrize(
    ("name", "file", "command"),
    [("hello_go", "main.go", "go build"), ("hello_rust", "src/main.rs", "cargo run")],
)
def test_what_does_not_compile_is_told_by_its_compiler(
    gofer: Gofer, tmp_path: Path, name: str, file: str, command: str
) -> None:
    folder = copied(name, tmp_path)
    source = folder / file
    source.write_text(source.read_text().replace("greet", "greet\n", 1) + "\nthis is no program\n")

    done = gofer("up", str(folder), "--format", "json")

    assert done.status == 1
    assert done.out == ""
    assert f"{file}:" in done.err
    assert f"run it by hand: cd {folder} && {command}" in done.err
