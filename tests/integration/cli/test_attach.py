"""`gofer taskrun attach`: on a terminal, which it gives back as it was, and with something else for input."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofer_sdk.codec import encode
from gofer_sdk.pipeline import Pipeline, Task

PROGRAM = [sys.executable, "-m", "gofer"]
ATTACH = ("taskrun", "attach", "attached", "1", "work")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def environment(server: str, home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "GOFER_CLI_HOST": server}


@pytest.fixture(autouse=True, scope="module")
def task(server: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A task that runs for as long as the tests of this module."""
    folder = tmp_path_factory.mktemp("pipeline")
    work = Task(id="work", image="i", command=["sleep", "1000"], variables={"WORD": "from the task"})
    (folder / "pipeline.bin").write_bytes(encode(Pipeline(id="attached", tasks=[work]).to_message()))
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "GOFER_CLI_HOST": server}
    for words in (("up", str(folder / "pipeline.bin")), ("run", "start", "attached")):
        subprocess.run([*PROGRAM, *words], env=environment, check=True, capture_output=True)
    started = ("event", "list", "--follow", "--limit", "1", "--kind", "TASKRUN_STARTED")
    subprocess.run([*PROGRAM, *started], env=environment, check=True, capture_output=True)


@dataclass
class OnTerminal:
    """The command line on a terminal that the test types on."""

    process: "subprocess.Popen[bytes]"
    ours: int
    theirs: int
    seen: bytes = b""

    def type(self, data: bytes) -> None:
        os.write(self.ours, data)

    def until(self, mark: bytes) -> None:
        while mark not in self.seen:
            self.seen += os.read(self.ours, 65536)

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self.theirs)


@contextmanager
def on_terminal(environment: dict[str, str], *arguments: str) -> Iterator[OnTerminal]:
    ours, theirs = pty.openpty()
    resize(theirs, 31, 97)
    process = subprocess.Popen([*PROGRAM, *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        yield OnTerminal(process, ours, theirs)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def test_keys_go_to_the_task_and_the_terminal_is_given_back(environment: dict[str, str]) -> None:
    with on_terminal(environment, *ATTACH) as terminal:
        before = terminal.modes
        terminal.until(b"attached to work of run 1 of attached")
        terminal.until(b"# " if os.geteuid() == 0 else b"$ ")
        during = terminal.modes
        terminal.type(b'stty size; echo "$WORD $TERM"; trap "exit 6" INT; echo r""eady\r')
        terminal.until(b"31 97\r\nfrom the task xterm-256color\r\nready\r\n")
        resize(terminal.theirs, 41, 101)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.type(b"while :; do stty size; sleep 0.1; done\r")
        terminal.until(b"41 101\r\n")
        # A shell loses what is typed while it starts a command: a person types it again.
        while terminal.process.poll() is None:
            terminal.type(b"\x03")
            with suppress(subprocess.TimeoutExpired):
                terminal.process.wait(1)

        assert terminal.process.returncode == 6
        assert before != during
        assert before == terminal.modes


def test_what_was_typed_before_the_terminal_is_there_goes_to_the_task(environment: dict[str, str]) -> None:
    with on_terminal(environment, *ATTACH) as terminal:
        terminal.type(b'echo typed a""head\r')

        terminal.until(b"typed ahead\r\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_where_a_signal_ends_the_command(
    environment: dict[str, str], number: signal.Signals
) -> None:
    with on_terminal(environment, *ATTACH, "--command", "sh -c 'echo r\"\"eady; sleep 1000'") as terminal:
        before = terminal.modes
        terminal.until(b"ready")
        terminal.process.send_signal(number)

        assert terminal.process.wait() == -number
        assert before == terminal.modes


def piped(environment: dict[str, str], typed: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, input=typed, text=True, capture_output=True, timeout=50, check=False
    )


@pytest.mark.parametrize("typed", ["echo $((6 * 7))\n(exit 3)\n", "echo $((6 * 7))\n(exit 3)"])
def test_what_is_no_terminal_is_typed_to_its_end(environment: dict[str, str], typed: str) -> None:
    done = piped(environment, typed, *ATTACH)

    assert done.returncode == 3
    assert "42\n" in done.stdout.replace("\r", "")
    assert "attached to work" in done.stderr


def test_a_command_gets_its_words_as_a_shell_would_give_them(environment: dict[str, str]) -> None:
    done = piped(environment, "", *ATTACH, "-c", "printf '%s|' 'a b' c")

    assert (done.returncode, done.stdout) == (0, "a b|c|")


def test_programs_get_the_bytes_and_the_exit_code_as_json(environment: dict[str, str]) -> None:
    done = piped(environment, "", *ATTACH, "-c", "sh -c 'printf hi; exit 2'", "--format", "json")

    assert done.returncode == 2
    assert done.stdout.splitlines() == ['{"chunk": "aGk="}', '{"exitCode": "2"}']


def test_what_cant_be_is_told_in_words(environment: dict[str, str]) -> None:
    unknown = piped(environment, "", "taskrun", "attach", "attached", "1", "other")
    wrong = piped(environment, "", *ATTACH, "-c", "'")

    assert (unknown.returncode, wrong.returncode) == (3, 2)
    assert "run default/attached/1 has no task run 'other'" in unknown.stderr
    assert "can't be read as a shell would" in wrong.stderr
