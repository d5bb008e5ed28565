"""What is put as an object: from files, pipes and the command line."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest
import typer

from gofer.cli.commands.object import _run_and_key
from gofer.cli.contents import Source, source_of
from gofer.cli.output import Output


async def content_of(word: str, file: str | None = None) -> tuple[str, bytes, int | None]:
    with source_of(word, file) as found:
        return found.key, b"".join([piece async for piece in found.pieces(Output())]), found.size_bytes


class Piped(io.TextIOWrapper):
    """What is piped into a command."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


async def test_content_is_found_where_it_was_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a=b"
    file.write_bytes(b"\xff\x00of the file")

    assert ("key", b"\xff\x00of the file", 13) == await content_of("key", str(file))
    assert ("a=b", b"\xff\x00of the file", 13) == await content_of("a=b", str(file))
    assert ("key", b"\xff\x00of the file", 13) == await content_of(f"key=@{file}")
    assert ("key", b"a=b, text", 9) == await content_of("key=a=b, text")
    assert ("key", b"", 0) == await content_of("key=")
    for given, named in (("key", None), ("key", "-"), ("key=@-", None)):
        monkeypatch.setattr(sys, "stdin", Piped(b"\x00piped"))
        assert ("key", b"\x00piped", None) == await content_of(given, named)


async def test_what_a_shell_gives_that_is_no_text_is_kept_as_it_is() -> None:
    assert ("key", b"\xff", 1) == await content_of(f"key={os.fsdecode(bytes([255]))}")


@pytest.mark.parametrize("file", ["missing", "."])
def test_a_file_that_cannot_be_read_is_named(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(typer.BadParameter, match="can't be read"), source_of("key", file):
        pass


def test_a_terminal_is_no_content(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        words = "nothing is piped in: name a file with --file"
        with pytest.raises(typer.BadParameter, match=words), source_of("key", None):
            pass
    os.close(ours)


async def test_a_file_that_breaks_off_ends_the_command_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error", size)

    broken = Source(key="key", content=Broken(), size_bytes=None)
    with pytest.raises(typer.Exit):
        async for _ in broken.pieces(Output()):
            pass

    assert "what should be kept as key can't be read: Input/output error; nothing was kept" in capsys.readouterr().err


def test_a_run_is_named_before_the_key_or_is_the_newest() -> None:
    assert (0, "key") == _run_and_key(["key"])
    assert (0, "7") == _run_and_key(["7"])
    assert (7, "key") == _run_and_key(["7", "key"])


@pytest.mark.parametrize("words", [["x", "key"], ["0", "key"], ["-1", "key"], ["1", "key", "more"]])
def test_what_is_no_run_and_key_is_refused(words: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no run: they are numbered from 1|more is too much"):
        _run_and_key(words)
