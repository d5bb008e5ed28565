"""A server that means harm, or holds what somebody who does has put there: nothing of it reaches the terminal."""

import asyncio
import io
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import betterproto2
import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from docs.generate import DOCS, PARTS
from gofer.cli import main
from gofer.cli.aio import ExitStatus
from gofer.cli.endings import LogLines
from gofer.cli.live import LiveView
from gofer.cli.output import Output
from gofer.cli.tables import Cell
from gofer.config.client_flags import OutputFormat
from gofer_sdk._proto import proto
from tests.fakes.messages import filled
from tests.fakes.server import FakeServer, certificate
from tests.integration.cli.every_command import TABLE

pytestmark = pytest.mark.timeout(60)  # each example is a call of the command line

CONTROLS = "".join(map(chr, [*range(1, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
TRICKS = f"a\x1b]0;title\x07b\x1b[2Jc\x1b]52;c;aGk=\x1b\\d{CONTROLS}e"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
KEPT_IN_LOGS = "\r"
MUST_NOT_RUN = {"service start", "completion", "up"}  # they ask no server, or run programs
EXACT = {"taskrun logs", "secret global get", "secret pipeline get"}
CALLS = sorted(name for name in TABLE if name not in MUST_NOT_RUN and "tokens" not in name)


class Terminal(io.TextIOWrapper):
    """A terminal that remembers what it was given."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode()


class Hostile(FakeServer):
    """Answers every call with as much of one text as fits, or refuses all with it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = TRICKS
        self.status: Status | None = None
        for path, handler in proto.GoferBase().__mapping__().items():
            rpc = path.rpartition("/")[2]
            reply = handler.reply_type
            self.answer(rpc, lambda _, reply=reply: self._reply(reply))  # type: ignore[misc]
            if handler.cardinality is Cardinality.UNARY_STREAM:
                self.stream(rpc, lambda _, reply=reply: self._replies(reply))  # type: ignore[misc]

    async def _reply(self, kind: type[betterproto2.Message]) -> betterproto2.Message:
        if self.status is not None:
            raise GRPCError(self.status, self.text)
        return filled(kind, self.text)

    async def _replies(self, kind: type[betterproto2.Message]) -> AsyncIterator[betterproto2.Message]:
        first = await self._reply(kind)
        if kind is not proto.ListEventsResponse:
            yield first
            return
        details = json.dumps({"task_run_id": self.text, self.text: self.text})
        names = (self.text, "RUN_ADMITTED", "TASKRUN_CREATED", "TASKRUN_STARTED", "TASKRUN_COMPLETED", "RUN_COMPLETED")
        for number, name in enumerate(names, 1):
            yield proto.ListEventsResponse(event=proto.Event(id=number, type=name, details=details, emitted=1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A hostile server, and what the command line prints on a terminal that asks it."""

    server: Hostile

    def shown_by(self, name: str, *more: str) -> str:
        row = TABLE[name]
        arguments = [word if "{" not in word else "abc" for word in row.arguments]
        _, shown = self.told([*name.split(), *arguments, *more], stdin=row.stdin or "a\n")
        return shown

    def told(self, arguments: Sequence[str], *, stdin: str = "a\n") -> tuple[object, str]:
        """Run the command line; its exit status, and all that it showed."""
        out, talk = Terminal(), Terminal()
        before = sys.argv, sys.stdout, sys.stderr, sys.stdin
        sys.argv = ["gofer", "--host", f"127.0.0.1:{self.server.port}", *arguments]
        sys.stdout, sys.stderr, sys.stdin = out, talk, io.TextIOWrapper(io.BytesIO(stdin.encode()))
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.argv, sys.stdout, sys.stderr, sys.stdin = before
        return ended.value.code, out.shown() + talk.shown()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """The server, on a loop of its own."""
    _, context = certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    hostile, loop, ready, stop = Hostile(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with hostile.running(context):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    yield hostile
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def attack(running: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attack:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "dumb")  # so that no colour is ours
    running.text, running.status = TRICKS, None
    return Attack(server=running)


@pytest.mark.parametrize("name", CALLS)
def test_no_command_shows_what_plays_tricks_on_a_terminal(attack: Attack, name: str) -> None:
    kept = KEPT_IN_LOGS if name in EXACT else ""

    for more in (("--detail",), ("--format", "json")):
        assert [] == [each for each in HARMFUL.findall(attack.shown_by(name, *more)) if each not in kept]


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.UNAUTHENTICATED, Status.INTERNAL, Status.ALREADY_EXISTS])
def test_no_error_of_a_server_plays_tricks_on_a_terminal(attack: Attack, status: Status) -> None:
    attack.server.status = status

    for name in ("run list", "taskrun logs", "event list"):
        shown = attack.shown_by(name)
        assert "title" in shown
        assert [] == HARMFUL.findall(shown), name


TEXTS = st.text(alphabet=st.sampled_from([*CONTROLS, "\n", "\t", "a", "[", "]", ";", "m", "ü", "\\", "{"]), max_size=30)


@pytest.mark.fuzz
@given(TEXTS)
def test_whatever_is_printed_is_safe(text: str) -> None:
    out, talk = Terminal(), Terminal()
    pretty = Output(stdout=out, stderr=talk, no_color=True)
    pretty.line(text)
    pretty.fields([(text, text), ("name", Cell(text))])
    pretty.table((text, "name"), [[text, Cell(text)]])
    pretty.painted([Cell(text)])
    for tell in (pretty.hint, pretty.warning, pretty.success, pretty.failure):
        tell(text)
    Output(format=OutputFormat.JSON, stdout=out).json(proto.Namespace(id=text, name=text))
    lines = LogLines()
    lines.name(text)
    pretty.log_lines([*lines.cut(text, text.encode()), *lines.rest(text)])

    shown = out.shown() + talk.shown()
    assert [] == HARMFUL.findall(COLOURS.sub("", shown))


OPTIONS = sorted(set(re.findall(r"`(-[-a-z]+)", (DOCS / PARTS / "commands.md").read_text())))
WORDS = st.sampled_from([*OPTIONS, "every", "1", "0", "-1", "json", "KEY=VALUE", "=", "--", "", "@file"]) | TEXTS


@pytest.mark.fuzz
@settings(
    max_examples=max(settings.default.max_examples // 3, 1) if settings.default else 20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(CALLS), st.lists(WORDS, max_size=5))
def test_any_arguments_are_taken_or_refused_in_words(attack: Attack, name: str, arguments: list[str]) -> None:
    attack.server.status = Status.NOT_FOUND

    status, shown = attack.told([*name.split(), *arguments])

    assert status in {0, *ExitStatus}, shown
    assert "gofer itself failed" not in shown


def test_raw_shows_a_log_as_it_is(attack: Attack) -> None:
    assert "\x1b[2J" in attack.shown_by("taskrun logs", "--raw")
    assert "\x1b[2J" in attack.shown_by("secret global get", "--raw")


def test_the_live_picture_shows_no_tricks() -> None:
    terminal = Terminal()
    output = Output(stdout=terminal)
    view = LiveView(output)
    name = f"build{TRICKS}"
    view.task_waits(name)
    view.task_started(name, at=int(datetime.now(UTC).timestamp() * 1000))
    view.log(name, f"one\rtwo{TRICKS}\n".encode())
    view.task_ended(proto.TaskRun(id=name, status_reason=proto.TaskRunStatusReason(description=TRICKS)))

    drawn = Console(file=terminal, force_terminal=False, width=200)
    drawn.print(view._picture())  # noqa: SLF001 - what Rich draws again and again

    assert [] == HARMFUL.findall(COLOURS.sub("", terminal.shown()))


def test_a_line_of_a_log_stays_behind_the_name_of_its_task() -> None:
    """A carriage return in it would let it overwrite the name."""
    view = LiveView(Output(stdout=(terminal := Terminal())))

    view.log("build", b"fine\rother | forged\r\n")

    assert "build | fine other | forged" in terminal.shown()
