"""What is put as an object, and where one goes that is got: files, pipes, the command line."""

import io
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import typer

from gofer.cli.aio import ExitStatus
from gofer.cli.neutral import LogFilter
from gofer.cli.output import Output
from gofer.cli.prompts import interruptible

if TYPE_CHECKING:
    from gofer_sdk.client import Download

PIPE: Final = "-"
"""How the standard input or output is written where a file could stand."""
_WORTH_A_BAR_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A key and what is to be kept under it; `size_bytes` is None where that is not known before its end."""

    key: str
    content: BinaryIO
    size_bytes: int | None

    async def pieces(self, output: Output) -> AsyncGenerator[bytes, None]:
        """Yield the content; on a terminal a bar tells how far it has come.

        Raises:
            typer.Exit: it can't be read to its end.

        """
        from gofer_sdk.client.object_files import pieces_of

        try:
            content = self.content if self.size_bytes is not None else _as_it_comes(self.content)
            async with aclosing(pieces_of(content)) as pieces:
                async for piece in _shown(pieces, output, title=self.key, total_bytes=self.size_bytes):
                    yield piece
        except OSError as error:
            output.failure(f"what should be kept as {self.key} can't be read: {error.strerror}; nothing was kept")
            raise typer.Exit(ExitStatus.FAILED) from error


@contextmanager
def source_of(word: str, file: str | None) -> Iterator[Source]:
    """Give the content for `KEY` (of the file or the standard input), `KEY=TEXT` or `KEY=@PATH`, open for the block.

    Raises:
        typer.BadParameter: there is none, or it can't be opened.

    """
    key, equals, value = (word, "", "") if file is not None else word.partition("=")
    if equals and not value.startswith("@"):
        text = os.fsencode(value)
        yield Source(key=key, content=io.BytesIO(text), size_bytes=len(text))
        return
    place = value[1:] if equals else file
    if place in {None, PIPE}:
        if sys.stdin.isatty():
            raise typer.BadParameter("nothing is piped in: name a file with --file, or pipe the content in")
        yield Source(key=key, content=sys.stdin.buffer, size_bytes=None)
        return
    with _opened(Path(place or "")) as content:
        status = os.fstat(content.fileno())
        yield Source(key=key, content=content, size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else None)


def _opened(path: Path) -> BinaryIO:
    try:
        with interruptible():  # a named pipe is open only when somebody writes to it
            return path.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from error


async def _as_it_comes(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    """Yield what comes through a pipe in pieces that are worth a message; it can be interrupted while nothing comes."""
    from gofer_sdk.client.object_files import PIECE_BYTES

    held = bytearray()
    while part := await _next_of(file, PIECE_BYTES):
        held += part
        if len(held) >= PIECE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _next_of(file: BinaryIO, count_bytes: int) -> bytes:
    """Return what can be read without waiting, once there is any; nothing at the end."""
    import asyncio

    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        descriptor = file.fileno()
        loop.add_reader(descriptor, ready.set)
    except (OSError, ValueError):  # a file on a disk, which never has anybody wait
        return await asyncio.to_thread(file.read, count_bytes)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, count_bytes)


async def save(output: Output, found: "Download", place: Path) -> None:
    """Write an object to a file, which is there only when it is whole; on a terminal a bar tells how far that is.

    Raises:
        typer.Exit: it can't be written.

    """
    from gofer_sdk.client.object_files import write_file

    content = _shown(found.content, output, title=found.details.key, total_bytes=found.details.bytes)
    try:
        async with aclosing(content):
            await write_file(place, content)
    except OSError as error:
        output.failure(f"{place} can't be written: {error.strerror}")
        raise typer.Exit(ExitStatus.FAILED) from error


async def show(output: Output, found: "Download", *, raw: bool) -> None:
    """Print an object, and nothing else; a terminal does not get what would play tricks on it, unless `raw`."""
    from gofer_sdk._proto import proto

    log_filter = LogFilter() if output.is_terminal and not raw else None
    content = found.content
    if not output.is_terminal:
        content = _shown(content, output, title=found.details.key, total_bytes=found.details.bytes)
    async for piece in content:
        output.json(proto.DownloadObjectResponse(content=piece))
        output.log(piece, log_filter)
    output.end_log(log_filter)


async def _shown(
    pieces: AsyncIterable[bytes], output: Output, *, title: str, total_bytes: int | None
) -> AsyncGenerator[bytes, None]:
    if output.has_live_talk and (total_bytes is None or total_bytes >= _WORTH_A_BAR_BYTES):
        from gofer.cli.progress import shown

        pieces = shown(pieces, output, title=title, total_bytes=total_bytes)
    async for piece in pieces:
        yield piece
