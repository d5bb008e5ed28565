import asyncio
import errno
import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from typing_extensions import Buffer

from gofer.config.settings import DevelopmentSettings, LogLevel, Settings
from gofer.core.secret import Secret
from gofer.logging import set_up_logging
from tests.fakes.waiting import SOON_SECONDS

log = structlog.get_logger("gofer.test")


@contextmanager
def captured(*, level: LogLevel = LogLevel.INFO, pretty: bool = False) -> Iterator[list[str]]:
    """Log into memory; the lines are there after the block."""
    stream = io.BytesIO()
    lines: list[str] = []
    settings = Settings(log_level=level, development=DevelopmentSettings(pretty_logging=pretty))
    with set_up_logging(settings, stream=stream):
        yield lines
    lines.extend(stream.getvalue().decode().splitlines())


def test_a_line_is_one_json_object_with_level_time_name_and_ids() -> None:
    with captured() as lines:
        log.info("run started", pipeline="p", run=3)

    (line,) = [json.loads(each) for each in lines]
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "run started", "level": "info", "logger": "gofer.test", "pipeline": "p", "run": 3}


def test_levels_that_are_off_say_nothing() -> None:
    with captured(level=LogLevel.WARN) as lines:
        log.info("quiet")
        log.warning("heard")
        logging.getLogger("somebody").info("quiet")

    assert [json.loads(line)["event"] for line in lines] == ["heard"]


def test_lines_for_the_journal_begin_with_their_priority() -> None:
    stream = io.BytesIO()
    with set_up_logging(Settings(log_level=LogLevel.DEBUG), stream=stream, to_journal=True):
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")
        logging.getLogger("somebody").warning("e")

    lines = stream.getvalue().decode().splitlines()
    assert ["<7>{", "<6>{", "<4>{", "<3>{", "<4>{"] == [line[:4] for line in lines]
    assert ["a", "b", "c", "d", "e"] == [json.loads(line[3:])["event"] for line in lines]


def test_what_libraries_log_goes_the_same_way_and_talkative_ones_only_from_warnings_on() -> None:
    with captured(level=LogLevel.DEBUG) as lines:
        logging.getLogger("somebody").info("read %d bytes", 5)
        logging.getLogger("grpclib.server").info("Request was cancelled")
        log.info("last")

    events = [json.loads(line) for line in lines]
    assert [(each["logger"], each["event"]) for each in events] == [
        ("somebody", "read 5 bytes"),
        ("gofer.test", "last"),
    ]


def test_tracebacks_stay_on_their_line() -> None:
    with captured() as lines:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            log.exception("failed")
            logging.getLogger("somebody").exception("failed too")

    assert len(lines) == 2
    assert all("ZeroDivisionError" in json.loads(line)["exception"] for line in lines)


def test_secrets_and_line_breaks_in_values_can_not_break_out() -> None:
    with captured() as lines:
        log.info("x", password=Secret("hunter2"), text='a\n{"event": "forged"}', half="\ud800")

    (line,) = lines
    assert "hunter2" not in line
    assert json.loads(line)["password"] == "Secret(***)"


async def test_what_is_bound_to_a_task_is_on_its_lines() -> None:
    with captured() as lines:
        with structlog.contextvars.bound_contextvars(request="r1"):
            log.info("inside")
        log.info("outside")

    assert [json.loads(line).get("request") for line in lines] == ["r1", None]


def test_pretty_lines_are_for_people() -> None:
    with captured(pretty=True) as lines:
        log.warning("look", run=3)

    (line,) = lines
    assert "look" in line
    assert "run=3" in line
    assert "\x1b" not in line


def test_a_reader_that_stopped_costs_lines_not_time() -> None:
    reading, writing = os.pipe()
    received = bytearray()

    def read() -> None:
        while chunk := os.read(reading, 1 << 20):
            received.extend(chunk)

    with os.fdopen(writing, "wb", buffering=0) as stream:
        with set_up_logging(Settings(), stream=stream):
            for number in range(20_000):
                log.info("line", number=number)
            reader = threading.Thread(target=read)
            reader.start()
        stream.close()
        reader.join()
    os.close(reading)

    events = [json.loads(line) for line in received.splitlines()]
    dropped = sum(each["count"] for each in events if "dropped" in each["event"])
    numbers = [each["number"] for each in events if each["event"] == "line"]
    assert dropped > 0
    assert len(numbers) + dropped == 20_000
    assert sorted(numbers) == numbers


def test_a_reader_that_has_gone_does_no_harm() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "wb", buffering=0) as stream, set_up_logging(Settings(), stream=stream):
        log.info("lost")


class _Disk(io.BytesIO):
    """Takes lines, but for those that say it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.has_refused = threading.Event()

    def write(self, data: Buffer, /) -> int:
        if b"full" in bytes(data):
            self.has_refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_disk_that_was_full_costs_lines_and_no_later_ones() -> None:
    """The writing thread ended with the first refusal, and the server was silent from then on."""
    stream = _Disk()

    with set_up_logging(Settings(), stream=stream):
        log.info("full")
        assert stream.has_refused.wait(SOON_SECONDS)
        log.info("there is room")

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["event"] for each in events] == ["there is room", "log lines were dropped: nobody took them in time"]
    assert events[-1]["count"] == 1


async def test_logging_from_many_tasks_keeps_every_line() -> None:
    async def work(number: int) -> None:
        for turn in range(50):
            log.info("turn", task=number, turn=turn)
            await asyncio.sleep(0)

    with captured() as lines:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(work(number), name=f"{number}")

    assert len(lines) == 1000


def complain(content: str) -> None:
    """Raise with the content in a local variable of a frame, as a handler has its request."""
    raise ValueError(f"{len(content)} characters are wrong")


@pytest.mark.parametrize("kind", ["for people", "for programs"])
def test_a_traceback_shows_no_local_variables(kind: str) -> None:
    """They may be a request with a secret in it."""
    with captured(pretty=kind == "for people") as lines:
        try:
            complain(chr(104) + "unter22")
        except ValueError:
            log.exception("call")

    text = "\n".join(lines)
    assert "8 characters are wrong" in text
    assert "hunter22" not in text


def test_the_level_can_be_changed_while_lines_are_written() -> None:
    stream = io.BytesIO()
    changing = structlog.get_logger("gofer.changing")

    with set_up_logging(Settings(log_level=LogLevel.WARN), stream=stream) as set_level:
        changing.info("before")
        set_level(LogLevel.DEBUG)
        changing.debug("after")
        logging.getLogger("someone").debug("theirs")
        set_level(LogLevel.ERROR)
        changing.warning("too late")

    lines = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert ["after", "theirs"] == lines
