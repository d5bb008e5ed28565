"""The end of a server by signals, and of a stop that hangs."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from gofer.lifecycle import exit_in_time, stop_on_signals
from tests.fakes.waiting import SOON_SECONDS

GRACE = timedelta(minutes=1)
NO_GRACE = timedelta(milliseconds=10)


async def test_the_first_signal_stops_and_the_second_ends_the_process() -> None:
    stopped = asyncio.Event()
    codes: list[int] = []
    exited = asyncio.Event()

    def exit_now(code: int) -> None:
        codes.append(code)
        exited.set()

    with stop_on_signals(stopped.set, exit_now=exit_now):
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped.wait()
        assert codes == []
        os.kill(os.getpid(), signal.SIGINT)
        await exited.wait()

    assert codes == [130]


def test_a_stop_that_hangs_ends_the_process_in_time(capfd: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    left = threading.Event()

    def exit_now(code: int) -> None:
        codes.append(code)
        left.set()

    with exit_in_time(NO_GRACE, exit_now=exit_now) as begin:
        begin()
        begin()
        assert left.wait(SOON_SECONDS)

    assert codes == [1]
    assert "took more than" in capfd.readouterr().err


@pytest.mark.parametrize("reader_left", [True, False], ids=["closed", "full"])
def test_a_stop_that_hangs_ends_the_process_although_its_words_reach_nobody(
    monkeypatch: pytest.MonkeyPatch, *, reader_left: bool
) -> None:
    """Whoever reads the server's errors may be what the stop hangs for."""
    reader, writer = os.pipe()
    if reader_left:
        os.close(reader)
    else:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
    left = threading.Event()

    with suppress(BrokenPipeError), monkeypatch.context() as patched, os.fdopen(writer, "w", buffering=1) as stderr:
        patched.setattr(sys, "stderr", stderr)
        with exit_in_time(NO_GRACE, exit_now=lambda _: left.set()) as begin:
            begin()
            was_left = left.wait(SOON_SECONDS)
        if not reader_left:
            os.close(reader)

    assert was_left


def test_a_stop_in_time_and_a_life_without_one_end_nothing() -> None:
    codes: list[int] = []
    with exit_in_time(GRACE, exit_now=codes.append) as begin:
        begin()
    with exit_in_time(NO_GRACE, exit_now=codes.append):
        pass

    assert codes == []
