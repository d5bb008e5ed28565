"""What people are asked, and what their answers come to."""

import asyncio
import io
import os
import signal
import sys
import threading

import pytest
import typer

from gofer.cli.output import Output
from gofer.cli.prompts import ask_token, confirm, interruptible
from tests.unit.cli.test_output import Terminal, stream, written


def output() -> Output:
    """Make an output to look at."""
    return Output(stdout=stream(), stderr=stream())


def test_a_question_needs_somebody_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    out = output()
    monkeypatch.setattr(sys, "stdin", stream())

    with pytest.raises(typer.Exit) as ended:
        confirm(out, "Really?", expected="yes", yes=False)

    assert ended.value.exit_code == 2
    assert b"add --yes" in written(out.stderr)


@pytest.mark.parametrize(
    ("answer", "goes_on"), [(b"nightly\n", True), (b"no\n", False), (b"", False), (b"\xff\n", False)]
)
def test_only_the_expected_word_goes_on(monkeypatch: pytest.MonkeyPatch, answer: bytes, goes_on: bool) -> None:  # noqa: FBT001
    out = output()
    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(answer), encoding="utf-8"))

    if goes_on:
        confirm(out, "Really?", expected="nightly", yes=False)
    else:
        with pytest.raises(typer.Exit):
            confirm(out, "Really?", expected="nightly", yes=False)

    assert b"Type nightly to go on" in written(out.stderr)


def test_whoever_has_said_yes_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    out = output()
    monkeypatch.setattr(sys, "stdin", stream())

    confirm(out, "Really?", expected="nightly", yes=True)

    assert written(out.stderr) == b""


@pytest.mark.parametrize("piped", [b"", b"\xff\n", b"two words\n"])
def test_what_is_no_token_is_refused_as_one(monkeypatch: pytest.MonkeyPatch, piped: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped), encoding="utf-8"))

    with pytest.raises(typer.BadParameter, match="token"):
        ask_token(output())


async def test_an_interrupt_ends_what_waits_for_input_within_a_loop() -> None:
    """asyncio itself would only cancel the task, which can't take note of it before the input comes."""
    ours, theirs = os.pipe()
    before = signal.getsignal(signal.SIGINT)

    def wait_for_input() -> None:
        with interruptible():
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            os.read(ours, 1)

    try:
        with pytest.raises(KeyboardInterrupt):
            wait_for_input()
    finally:
        os.close(ours)
        os.close(theirs)

    assert signal.getsignal(signal.SIGINT) is before


async def test_an_interrupt_of_just_before_counts() -> None:
    async def asking() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # as asyncio does when the signal comes
        with pytest.raises(KeyboardInterrupt):
            enter()

    def enter() -> None:
        with interruptible():
            pass

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(asking())


def test_what_is_not_interrupted_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
