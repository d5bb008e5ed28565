#!/usr/bin/env python3
"""Write `gofer_sdk/_proto` anew from the .proto files beside this script.

Usage: python protos/generate.py [--check]

The same sources give the same bytes: protoc and the plugin come from the running interpreter's environment, the files
go in sorted, and the formatter that the plugin calls gets a configuration of its own. With --check nothing is written.
Exit status: 0 done, or all fresh; 1 --check has found a difference; 2 the sources don't compile.
"""

import argparse
import difflib
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "gofer_sdk" / "_proto"
SCRIPTS = Path(sysconfig.get_path("scripts"))
PLUGIN = "python_betterproto2"
OPTIONS = ("client_generation=async", "server_generation=async")
FORMATTER = "line-length = 120\ntarget-version = 'py311'\n"
SHOWN_DIFF_LINES = 20


class CompileError(Exception):
    """protoc or its plugin refused the sources; its own words have gone to stderr."""


def generate(folder: Path) -> None:
    """Compile all sources into a folder.

    Raises CompileError where protoc refuses them.
    """
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    out = folder / "out"
    out.mkdir()
    (folder / "ruff.toml").write_text(FORMATTER, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        f"--proto_path={PROTOS}",
        f"--plugin=protoc-gen-{PLUGIN}={SCRIPTS / f'protoc-gen-{PLUGIN}'}",
        f"--{PLUGIN}_out={out}",
        *(f"--{PLUGIN}_opt={option}" for option in OPTIONS),
        *sources,
    ]
    # The plugin looks for its formatter on PATH; ours must win, or another release would write another layout.
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    # protoc's plugin prints the name of each file it writes
    done = subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise CompileError


def tree(folder: Path) -> dict[str, str]:
    """Return the text of each generated file below a folder, by its path within it."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix in {".py", ".typed"}]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(found)}


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return the lines of a unified diff between two trees."""
    return [
        line
        for name in sorted(old.keys() | new.keys())
        for line in difflib.unified_diff(
            old.get(name, "").splitlines(), new.get(name, "").splitlines(), f"committed/{name}", f"fresh/{name}", "", ""
        )
    ]


def write(old: dict[str, str], new: dict[str, str]) -> None:
    """Make the target folder hold exactly the new files."""
    for name in old.keys() - new.keys():
        (TARGET / name).unlink()
    for name, text in new.items():
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Generate, then write or compare; return the exit status."""
    parser = argparse.ArgumentParser(description="Write gofer_sdk/_proto anew from the .proto files.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed files are fresh")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gofer-protos-") as folder:
        try:
            generate(Path(folder))
        except CompileError:
            return 2
        new = tree(Path(folder) / "out")
    old = tree(TARGET) if TARGET.is_dir() else {}
    changed = differences(old, new)
    if options.check:
        for line in changed[:SHOWN_DIFF_LINES]:
            print(line)
        print("gofer_sdk/_proto is stale: run python protos/generate.py" if changed else "gofer_sdk/_proto is fresh")
        return 1 if changed else 0
    write(old, new)
    print(f"gofer_sdk/_proto: {len(new)} files, {len(changed)} changed lines of diff")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
