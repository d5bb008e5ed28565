"""A log whose secrets are masked before a byte of it is stored.

Each stream has a masker of its own, since a value is never spread over two. What a masker keeps back is not in the log
and not counted, so that whoever goes on after an interruption asks the engine for it again.
"""

from collections.abc import Iterable
from typing import Protocol

from gofer.core.masking import Masker, masked_values
from gofer.core.output import LogChunk, LogStream
from gofer.core.secret import Secret


class Appending(Protocol):
    """What takes a log's chunks."""

    async def append(self, chunk: LogChunk, *, raw_bytes: int | None = None) -> None:
        """Take a chunk that stands for so many bytes of its stream."""
        ...


class MaskedLog:
    """Masks what goes to a log's writer; with nothing to mask it goes there untouched."""

    def __init__(self, writer: Appending, secrets: Iterable[Secret]) -> None:
        """Begin where the writer stands."""
        found = tuple(secrets)
        self._writer = writer
        self._maskers = {stream: Masker(found) for stream in LogStream} if masked_values(found) else {}

    async def append(self, chunk: LogChunk) -> None:
        """Take the next chunk of a stream; waits and raises as the writer does."""
        masker = self._maskers.get(chunk.stream)
        if masker is None:
            await self._writer.append(chunk)
            return
        held_before = masker.held_bytes
        data = masker.feed(chunk.data)
        raw_bytes = held_before + len(chunk.data) - masker.held_bytes
        await self._writer.append(LogChunk(stream=chunk.stream, data=data), raw_bytes=raw_bytes)

    async def finish(self) -> None:
        """Give out what is kept back: both streams have ended."""
        for stream, masker in self._maskers.items():
            held = masker.held_bytes
            if held:
                await self._writer.append(LogChunk(stream=stream, data=masker.finish()), raw_bytes=held)
