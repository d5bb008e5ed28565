"""The command line as a process of its own: on a terminal, in a pipe, interrupted."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from gofer_sdk.codec import encode
from gofer_sdk.pipeline import Pipeline, Task

PROGRAM = [sys.executable, "-m", "gofer"]
NASTY = r"printf '\033]0;title\007\033[31mred\033[0m\033[2Jplain\n'"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def environment(server: str, home: Path) -> dict[str, str]:
    """What a process of the command line gets."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "GOFER_CLI_HOST": server}


@pytest.fixture
def pipeline(environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The id of a pipeline whose one task runs the test's script."""
    name = re.sub(r"\W", "_", request.node.name)[-32:]
    script = request.param.replace("GATE", str(tmp_path / "gate"))
    message = Pipeline(id=name, tasks=[Task(id="only", image="i", script=script)]).to_message()
    (tmp_path / "pipeline.bin").write_bytes(encode(message))
    subprocess.run([*PROGRAM, "up", str(tmp_path / "pipeline.bin")], env=environment, check=True, capture_output=True)
    return name


def quiet(_: bytes) -> None:
    """Look at nothing that is shown."""


def on_terminal(
    environment: dict[str, str], *arguments: str, columns: int = 80, shown: Callable[[bytes], object] = quiet
) -> tuple[int, str]:
    """Run the command line on a terminal; return its exit status and all that the terminal got.

    What it has got so far is told to `shown` whenever there is more.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([*PROGRAM, *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    got = bytearray()
    try:
        while part := os.read(ours, 65536):
            got += part
            shown(bytes(got))
    except OSError:
        pass  # how a terminal without a process on it ends
    finally:
        os.close(ours)
    return process.wait(), got.decode()


@pytest.mark.parametrize("pipeline", ["echo hello; until [ -e GATE ]; do sleep 0.05; done"], indirect=True)
def test_a_run_is_shown_live_on_a_terminal_and_stays_as_a_picture(
    environment: dict[str, str], pipeline: str, tmp_path: Path
) -> None:
    def shown(text: bytes) -> None:
        if b"1 running" in text:
            (tmp_path / "gate").touch()

    try:
        status, text = on_terminal(environment, "run", "start", pipeline, "--follow", shown=shown)
    finally:
        (tmp_path / "gate").touch()

    assert status == 0
    assert "only | hello" in text
    assert "the run has begun: 1 task, 1 running" in text
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.split("only: successful")[-1])
    assert "Task    State       Started" in last
    assert "✓ only  Successful" in last


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("pipeline", ["exit 3"], indirect=True)
def test_nothing_is_wider_than_the_terminal(environment: dict[str, str], pipeline: str, columns: int) -> None:
    on_terminal(environment, "run", "start", pipeline, "--wait")

    for arguments in (["run", "get", pipeline, "1"], ["pipeline", "list"], ["taskrun", "get", pipeline, "1", "only"]):
        _, text = on_terminal(environment, *arguments, columns=columns)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "").split("\n")
        assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("pipeline", [NASTY], indirect=True)
def test_a_log_can_play_no_tricks_on_a_terminal_but_keeps_its_colours(
    environment: dict[str, str], pipeline: str
) -> None:
    on_terminal(environment, "run", "start", pipeline, "--wait")

    _, shown = on_terminal(environment, "taskrun", "logs", pipeline, "1", "only")
    _, followed = on_terminal(environment, "run", "follow", pipeline, "1")
    piped = subprocess.run(
        [*PROGRAM, "taskrun", "logs", pipeline, "1", "only"], env=environment, capture_output=True, check=True
    )

    assert shown == "\x1b[31mred\x1b[0mplain\r\n"
    assert "\x1b]0;title" not in followed
    assert "redplain" in re.sub(r"\x1b\[[0-9;]*m", "", followed)
    assert piped.stdout == b"\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[2Jplain\n"


@pytest.mark.parametrize("pipeline", ["echo begun; sleep 600"], indirect=True)
def test_an_interrupt_leaves_the_run_and_ends_with_130(environment: dict[str, str], pipeline: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, "run", "start", pipeline, "--follow"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "begun" not in process.stdout.readline().removeprefix("the run has begun"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate()
    shown = subprocess.run(
        [*PROGRAM, "run", "get", pipeline, "1"], env=environment, capture_output=True, text=True, check=True
    )
    subprocess.run([*PROGRAM, "run", "cancel", pipeline, "1", "--force", "--wait"], env=environment, check=True)

    assert process.returncode == 130
    assert f"gofer run follow {pipeline} 1" in talk
    assert "Traceback" not in talk
    assert "Running" in shown.stdout


def test_a_reader_that_leaves_early_is_no_error_worth_words(environment: dict[str, str]) -> None:
    follower = subprocess.Popen(
        [*PROGRAM, "event", "list", "--follow"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stdout is not None
    first = follower.stdout.readline()
    follower.stdout.close()
    number = 0
    while follower.poll() is None:
        number += 1
        subprocess.run(
            [*PROGRAM, "namespace", "create", f"event_{number}", "An event"],
            env=environment,
            check=True,
            capture_output=True,
        )
    _, talk = follower.communicate()

    assert first.startswith(b"[1] ")
    assert talk == b""


@pytest.mark.parametrize("form", ["pretty", "json"])
@pytest.mark.parametrize("pipeline", ["echo hello"], indirect=True)
def test_a_follower_whose_reader_has_left_says_nothing(environment: dict[str, str], pipeline: str, form: str) -> None:
    """What is printed within a group of tasks fails as a group, which nobody would know for a closed pipe."""
    subprocess.run([*PROGRAM, "run", "start", pipeline, "--wait"], env=environment, check=True, capture_output=True)
    ours, theirs = os.pipe()
    os.close(ours)
    command = [*PROGRAM, "run", "follow", pipeline, "1", "--format", form]
    with os.fdopen(theirs) as unread:
        ended = subprocess.run(command, env=environment, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "failed" not in ended.stderr


@pytest.mark.parametrize("pipeline", ["echo hello"], indirect=True)
def test_a_full_disk_is_told_as_one(environment: dict[str, str], pipeline: str) -> None:
    subprocess.run([*PROGRAM, "run", "start", pipeline, "--wait"], env=environment, check=True, capture_output=True)
    for arguments in (
        ("run", "get", pipeline, "1"),
        ("run", "follow", pipeline, "1"),
        ("taskrun", "logs", pipeline, "1"),
    ):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            ended = subprocess.run(
                [*PROGRAM, *arguments], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )

        assert ended.returncode == 1
        assert ended.stderr.endswith("x the standard output can't be written: No space left on device\n")


def test_an_interrupt_at_a_question_ends_the_command(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "namespace", "delete", "some_folder"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"to go on: " not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        status = process.wait()
    os.close(ours)

    assert status == 130


@pytest.mark.parametrize(
    "words", [("up", "-"), ("pipeline", "object", "put", "{p}", "key"), ("secret", "global", "put", "some_key")]
)
@pytest.mark.parametrize("pipeline", ["echo hello"], indirect=True)
def test_an_interrupt_ends_what_waits_for_a_pipe(
    environment: dict[str, str], pipeline: str, words: tuple[str, ...]
) -> None:
    """A thread that reads can't be interrupted, and the process would wait for its end."""
    read, write = os.pipe()
    command = [*PROGRAM, *(word.format(p=pipeline) for word in words)]
    with subprocess.Popen(command, env=environment, stdin=read, stderr=subprocess.PIPE) as process:
        os.write(write, b"{")
        while left_in(read):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate()
    os.close(read)
    os.close(write)

    assert process.returncode == 130
    assert b"Traceback" not in talk


def left_in(pipe: int) -> int:
    """How many bytes wait in a pipe."""
    count = fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(count, sys.byteorder)


@pytest.mark.parametrize(("term", "colour"), [("xterm", True), ("dumb", False)])
def test_colours_are_for_terminals_that_have_them(environment: dict[str, str], term: str, colour: bool) -> None:  # noqa: FBT001
    _, text = on_terminal(environment | {"TERM": term}, "pipeline", "list")
    _, without = on_terminal(environment | {"TERM": term, "NO_COLOR": "1"}, "pipeline", "list")

    assert ("\x1b[1mID" in text) == colour
    assert "\x1b" not in without
