"""Data goes to the standard output, talk to the standard error, in the format that was asked for."""

import io
import json

import betterproto2
import pytest

from gofer.cli.neutral import LogFilter
from gofer.cli.output import Output
from gofer.config.client_flags import OutputFormat
from gofer_sdk._proto import proto
from tests.google_wire import google_classes


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def stream(encoding: str = "utf-8", *, terminal: bool = False) -> io.TextIOWrapper:
    """Make a stream to look at."""
    return (Terminal if terminal else io.TextIOWrapper)(io.BytesIO(), encoding=encoding, write_through=True)


def written(text_stream: object) -> bytes:
    """Return what was written."""
    assert isinstance(text_stream, io.TextIOWrapper)
    assert isinstance(text_stream.buffer, io.BytesIO)
    text_stream.flush()
    return text_stream.buffer.getvalue()


def output(
    kind: OutputFormat = OutputFormat.PRETTY,
    *,
    terminal: bool = False,
    encoding: str = "utf-8",
    no_color: bool = False,
) -> Output:
    """Make an output to two streams."""
    return Output(
        format=kind,
        no_color=no_color,
        stdout=stream(encoding, terminal=terminal),
        stderr=stream(encoding, terminal=terminal),
    )


def print_everything(out: Output) -> None:
    """Print one of each."""
    out.json(proto.Run(id=7, state=proto.RunRunState.RUNNING))
    out.line("a line")
    out.fields([("Name", "value")])
    out.table(("ID",), [["7"]])
    out.success("done")
    out.hint("a hint")
    out.warning("a warning")
    out.failure("a failure")


def test_people_get_words() -> None:
    out = output()

    print_everything(out)

    assert written(out.stdout).decode() == "a line\nName  value\nID\n7\n"
    assert written(out.stderr).decode() == "✓ done\na hint\n! a warning\nx a failure\n"


def test_programs_get_one_message_a_line_and_no_small_talk() -> None:
    out = output(OutputFormat.JSON)

    print_everything(out)

    assert json.loads(written(out.stdout)) == {"id": "7", "state": "RUNNING"}
    assert written(out.stderr).decode() == "! a warning\nx a failure\n"


def test_every_message_is_printed_under_its_canonical_names() -> None:
    for full_name, google_class in google_classes().items():
        message = getattr(proto, full_name.removeprefix("proto.").replace(".", ""))()
        out = output(OutputFormat.JSON)

        out.json(_AllFields(message))

        assert set(json.loads(written(out.stdout))) == {field.json_name for field in google_class.DESCRIPTOR.fields}


class _AllFields:
    """A message that shows its empty fields, too."""

    def __init__(self, message: betterproto2.Message) -> None:
        self._message = message

    def to_dict(self) -> dict[str, object]:
        return self._message.to_dict(include_default_values=True)


def test_silence_is_silence() -> None:
    out = output(OutputFormat.SILENT)

    print_everything(out)
    out.raw(b"x")
    out.log(b"x", LogFilter())

    assert written(out.stdout) + written(out.stderr) == b""


@pytest.mark.parametrize(("no_color", "expected"), [(False, b"\x1b[38;5;28m"), (True, b"")])
def test_a_terminal_gets_colours_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    no_color: bool,  # noqa: FBT001
    expected: bytes,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out = output(terminal=True, no_color=no_color)

    out.success("done")

    assert written(out.stderr).startswith(expected + "✓".encode())


def test_a_long_warning_is_broken_between_words_where_a_terminal_would_break_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    on_terminal, in_a_pipe = output(terminal=True, no_color=True), output()

    for out in (on_terminal, in_a_pipe):
        out.warning("the process engine is in use")

    assert written(on_terminal.stderr).decode() == "! the process engine\n  is in use\n"
    assert written(in_a_pipe.stderr).decode() == "! the process engine is in use\n"


def test_where_only_ascii_goes_only_ascii_is_written() -> None:
    out = output(encoding="ascii")

    out.success("für alle")
    out.table(("Name",), [["日本"]])

    assert out.is_ascii
    assert written(out.stderr) == b"+ f?r alle\n"
    assert written(out.stdout) == b"Name\n??\n"


def test_what_others_wrote_plays_no_tricks() -> None:
    out = output(terminal=True, no_color=True)

    out.line("a\x1b]0;evil\x07b\nc")
    out.failure("x\x1b[2Jy\nsecond line")
    out.foreign_line("\x1b[31mred\x1b[0m\x1b[2J")

    assert written(out.stdout) == b"a ]0;evil b c\n"
    assert written(out.stderr) == b"x x [2Jy\nsecond line\n\x1b[31mred\x1b[0m\n"


def test_a_log_is_exact_unless_a_terminal_shows_it() -> None:
    exact, shown = output(), output(terminal=True)
    data = b"\xff\x00\x1b[2J\r\nend"
    log_filter = LogFilter()

    exact.log(data, None)
    shown.log(data, log_filter)
    shown.end_log(log_filter)

    assert written(exact.stdout) == data
    assert written(shown.stdout) == "\ufffd\r\nend".encode()
