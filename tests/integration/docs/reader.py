"""A reader who does what a page of the guide says: with a home of their own, and a server that they start and stop."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Final, Self

from gofer import cli
from gofer_sdk.client import GoferClient
from tests.fakes.ports import free_port
from tests.integration.docs.page import ROOT, Command, Fragment, SavedFile, ServerEnds, Step
from tests.integration.docs.shown import is_as_shown
from tests.integration.docs.warm import Done, run_warm, simple_words

START_SECONDS: Final = 60
STOP_SECONDS: Final = 40
COMMAND_SECONDS: Final = 60
MOMENT_SECONDS: Final = 60
"""What a page says of things that happen by themselves is true within such a moment."""

_USUAL_ADDRESSES: Final = ("localhost:8080", "localhost:9090")
_SERVICE_START: Final = "gofer service start"
_LOOKS: Final = (" list", " get", " logs")
_SERVING: Final = b" listening "


class Terminal:
    """The server in a terminal of its own."""

    def __init__(self, command: str, *, environment: Mapping[str, str], folder: Path) -> None:
        self._output: deque[bytes] = deque(maxlen=100)
        self._serving = threading.Event()
        words = [Template(word).safe_substitute(environment) for word in shlex.split(command)]
        given = dict(word.split("=", 1) for word in takewhile(lambda word: "=" in word, words))
        self._process = subprocess.Popen(
            words[len(given) :],
            env={**environment, **given},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reading = threading.Thread(target=self._read, name="server output", daemon=True)
        self._reading.start()

    @property
    def output(self) -> str:
        return b"".join(self._output).decode(errors="replace")

    def wait_until_serving(self) -> None:
        self._serving.wait(START_SECONDS)
        assert self._process.poll() is None, f"the server did not start:\n{self.output}"
        assert any(_SERVING in line for line in self._output), f"the server does not serve:\n{self.output}"

    def end(self, *, by_force: bool) -> int:
        """End it as Ctrl-C or as `kill -9` does; its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL if by_force else signal.SIGINT)
        status = self._process.wait(STOP_SECONDS)
        self._reading.join()
        return status

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._output.append(line)
                if _SERVING in line:
                    self._serving.set()
        self._serving.set()


class Reader:
    """Follows a page step by step, below a folder; whatever is still running at the end of the block is ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "work"
        self._folder.mkdir()
        (self._folder / "examples").symlink_to(ROOT / "examples")
        (folder / "home").mkdir()
        self._address = f"localhost:{free_port()}"
        self._addresses = {_USUAL_ADDRESSES[0]: self._address, _USUAL_ADDRESSES[1]: f"localhost:{free_port()}"}
        self._environment = _environment(folder / "home", self._address)
        self._terminal: Terminal | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal is None:
            return
        run_warm(_cancel_everything, ["", self._address], environment=self._environment, folder=self._folder)
        self.end_server(by_force=False)

    def start_server(self, command: str = f"{_SERVICE_START} --dev-mode") -> None:
        self._terminal = Terminal(command, environment=self._environment, folder=self._folder)
        self._terminal.wait_until_serving()

    def end_server(self, *, by_force: bool) -> None:
        terminal, self._terminal = self._terminal, None
        assert terminal is not None, "no server is running"
        status = terminal.end(by_force=by_force)
        assert by_force or status == 0, f"the server ended with {status}:\n{terminal.output}"

    def take(self, step: Step) -> None:
        """Do what a step says, and compare what it shows."""
        match step:
            case SavedFile():
                file = self._folder / step.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(step.text, encoding="utf-8")
            case ServerEnds():
                self.end_server(by_force=step.by_force)
            case Command() if _SERVICE_START in step.text and step.status == 0:
                self.start_server(self._here(step.text))
            case Command():
                self._take_command(step)
            case Fragment():
                raise TypeError("fragments are run together")

    def take_fragments(self, fragments: list[Fragment]) -> None:
        """Run the parts of a program one after the other, in one process that has a client."""
        code = self._here("\0".join(part.code for part in fragments))
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("fragments.py"), self._address],
            input=code,
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            check=False,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        lines = ", ".join(str(part.line) for part in fragments)
        assert done.returncode == 0, f"the Python of the lines {lines}:\n{done.stdout}{done.stderr}"

    def _here(self, text: str) -> str:
        """Put free addresses in the place of those that the pages name."""
        for usual, real in self._addresses.items():
            text = text.replace(usual, real)
        return text

    def _take_command(self, step: Command) -> None:
        shown = tuple(self._here(line) for line in step.shown or ())
        end = time.monotonic() + MOMENT_SECONDS
        while True:
            done = self._run(self._here(step.text))
            as_shown = not shown or is_as_shown(shown, done.output, any_order=step.any_order)
            if as_shown and done.status == step.status:
                return
            # To look again changes nothing, and what the page waits for may not have happened yet.
            if not any(look in step.text for look in _LOOKS) or time.monotonic() > end:
                break
        expected = "\n".join(shown)
        message = (
            f"line {step.line}: $ {step.text}\nended with {done.status}, expected {step.status}\n"
            f"--- shown on the page:\n{expected}\n--- real:\n{done.output}\n--- server:\n"
        )
        raise AssertionError(message + (self._terminal.output if self._terminal else "is not running"))

    def _run(self, text: str) -> Done:
        words = simple_words(text)
        if words[:1] == ["gofer"]:
            return run_warm(cli.main, words, environment=self._environment, folder=self._folder)
        done = subprocess.run(
            ["bash", "-c", text],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        return Done(status=done.returncode, output=done.stdout)


def _cancel_everything() -> None:
    asyncio.run(_cancel_runs(sys.argv[1]))


async def _cancel_runs(address: str) -> None:
    async with GoferClient(address) as client:
        pipelines = [
            (namespace.id, pipeline.id)
            async for namespace in client.namespaces.each()
            async for pipeline in client.pipelines.each(namespace=namespace.id)
        ]
        for namespace, pipeline in pipelines:
            for run in await client.runs.cancel_all(pipeline, force=True, namespace=namespace):
                await client.runs.wait(pipeline, run, namespace=namespace)


def _environment(home: Path, address: str) -> dict[str, str]:
    """A reader's shell, whatever is set up on this machine; tasks are processes, so that no Docker is needed."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("GOFER_", "XDG_"))}
    return mine | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",  # so that both streams of a command come in their order
        "LC_ALL": "C.UTF-8",
        "GOFER_SERVER__HOST": address,
        "GOFER_SERVER__ADDRESS": address,
        "GOFER_SCHEDULER__ENGINE": "process",
        "GOFER_CLI_HOST": address,
    }
