"""Any words behind `gofer`: taken or refused in words, with an exit status that means something.

The words are parted by newlines. Commands are run, not only read: in a folder of their own, where nothing can be
written elsewhere, no program started and no server reached.
"""

import contextlib
import importlib
import io
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from typer.core import TyperCommand, TyperGroup

import gofer.cli
from gofer.cli.aio import ExitStatus
from gofer.cli.arguments import forward_globals
from gofer.cli.root import build
from tests.fuzz import sandbox
from tests.fuzz.target import Target
from tests.integration.cli.every_command import TABLE

NOT_HERE: Final = {"start", "up", "completion"}  # the first would go on for ever, the others start programs
INTERRUPTED: Final = 130
OWN_FAULT: Final = "gofer itself failed"
VALUES: Final = (
    "every",
    "1",
    "-1",
    "json",
    "silent",
    "KEY=VALUE",
    "=",
    "--",
    "@file",
    "24h",
    "a,b",
    "{}",
    "default",
    "*",
)


def prepare() -> None:
    """Go to a folder of its own, and stay there."""
    folder = Path(tempfile.mkdtemp())
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        os.environ[name] = str(folder)
    tempfile.tempdir = None
    for module in pkgutil.walk_packages(gofer.cli.__path__, "gofer.cli."):
        importlib.import_module(module.name)  # what the first call would wait for
    os.environ |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80", "GOFER_CLI_HOST": "127.0.0.1:9"}
    os.chdir(folder)
    sandbox.enter(folder)


@cache
def _commands() -> TyperCommand | TyperGroup:
    return build()


def check(data: bytes) -> None:
    """Run the command line with these words."""
    words = [word.decode("utf-8", "surrogateescape") for word in data.split(b"\n")]
    if NOT_HERE.intersection(words) or any("\0" in word for word in words):
        return
    out, talk = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"), io.StringIO()
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"text\n"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(talk):
            _commands()(args=forward_globals(words), prog_name="gofer")
    except SystemExit as ended:
        status = ended.code
    else:
        status = "none at all"
    finally:
        sys.stdin = before
    assert status in {None, INTERRUPTED, *ExitStatus}, f"{words}: exit status {status}\n{talk.getvalue()}"
    assert OWN_FAULT not in talk.getvalue(), f"{words}: {talk.getvalue()}"


def seeds() -> Iterator[bytes]:
    """Give every command as it is meant, and its help."""
    for name, row in TABLE.items():
        if not NOT_HERE.intersection(name.split()):
            yield "\n".join((*name.split(), *(word if "{" not in word else "abc" for word in row.arguments))).encode()
            yield "\n".join((*name.split(), "--help")).encode()
    yield b"--format\njson\nrun\nlist\nabc\n--detail\n--host\n[::1]:1"
    yield b"help\nrun\nstart"


def _options(command: object) -> Iterator[str]:
    if isinstance(command, TyperCommand | TyperGroup):
        for parameter in command.params:
            yield from parameter.opts
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield name
            yield from _options(child)


WORDS: Final = (*sorted(set(_options(_commands()))), *VALUES, "\n")
TARGET: Final = Target(check=check, seeds=seeds, words=WORDS, max_bytes=256, prepare=prepare)
