"""Keep secret values out of a stream of bytes that comes in chunks.

What is masked: each value of at least `MIN_CHARACTERS` characters, wherever it stands, also across chunk borders and
whatever its lines are ended with. White space around a value is no part of it: a shell's `$(...)` drops the newline
that many secrets end with. Of a value of several lines each longer line is masked by itself too, since tools print such
values line by line.

At any place the longest of the values that stand there is masked, and reading goes on behind it, so that the result
does not depend on how the stream was cut. A masker keeps back only what may be the beginning of a value, always less
than the longest one, so that a follower sees everything else at once.
"""

from array import array
from collections.abc import Iterable
from typing import Final

from gofer.core.secret import HIDDEN, Secret

MIN_CHARACTERS: Final = 4
"""Shorter values are not masked: they stand everywhere."""

MIN_LINE_CHARACTERS: Final = 8
"""Shorter lines of a value of several lines are not masked by themselves: they tell nothing."""

MASK: Final = HIDDEN.encode()

_PROBE_BYTES: Final = 8


def masked_values(secrets: Iterable[Secret]) -> tuple[bytes, ...]:
    """Give the byte strings that must not be seen, each once, longest first."""
    found: set[bytes] = set()
    for secret in secrets:
        value = secret.reveal()
        stripped = value.strip()
        texts = [stripped if len(stripped) >= MIN_CHARACTERS else value]
        lines = stripped.splitlines()
        if len(lines) > 1:
            texts += ["\n".join(lines), "\r\n".join(lines)]
            texts += [line for each in lines if len(line := each.strip()) >= MIN_LINE_CHARACTERS]
        found.update(text.encode("utf-8", "surrogateescape") for text in texts if len(text) >= MIN_CHARACTERS)
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


class Masker:
    """Masks one stream. Feed it the chunks in order, then finish it."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        """Mask these values."""
        values = masked_values(secrets)
        self._values = values
        self._needles = tuple(_Needle(value) for value in values)
        self._inner = frozenset(byte for value in values for byte in value[:-1])
        self._held = b""

    @property
    def held_bytes(self) -> int:
        """How many bytes of what was fed are kept back, because they may be the beginning of a value."""
        return len(self._held)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk and give what can be said for certain, masked."""
        return self._mask(chunk, last=False)

    def finish(self) -> bytes:
        """Give the rest, masked. The masker may be fed again afterwards, as for a new stream."""
        return self._mask(b"", last=True)

    def _mask(self, chunk: bytes, *, last: bool) -> bytes:
        data = self._held + chunk if self._held else chunk
        if self._is_harmless(data, last=last):
            self._held = b""
            return data
        for needle in self._needles:
            needle.enter(data)
        out: list[bytes] = []
        position = 0
        border = len(data) if last else self._border(data, position)
        while (found := self._next(data, position, border)) is not None:
            start, end = found
            out += (data[position:start], MASK)
            position = end
            if position > border:
                border = self._border(data, position)
        out.append(data[position:border])
        self._held = data[border:]
        return b"".join(out)

    def _is_harmless(self, data: bytes, *, last: bool) -> bool:
        """Tell whether no value stands in the data nor begins at its end, as in nearly all lines: soon told."""
        if data and not last and data[-1] in self._inner:  # no value goes on after any other byte
            return False
        for value in self._values:  # noqa: SIM110 (a generator would cost as much as what it looks for)
            if value in data:
                return False
        return True

    def _next(self, data: bytes, position: int, border: int) -> tuple[int, int] | None:
        """Find the first value that begins before the border, and the longest of those that begin there."""
        best: tuple[int, int] | None = None
        for needle in self._needles:
            start = needle.find(data, position)
            if 0 <= start < (border if best is None else best[0]):
                best = (start, start + len(needle.value))
        return best

    def _border(self, data: bytes, position: int) -> int:
        """Find where the first thing begins that may become a value with what comes next; the end if nothing does."""
        return min(needle.unfinished(data, position) for needle in self._needles)


def masked_text(text: str, secrets: Iterable[Secret]) -> str:
    """Give the text with every value masked that has at least `MIN_CHARACTERS` characters."""
    masker = Masker(secrets)
    data = text.encode("utf-8", "surrogateescape")
    return (masker.feed(data) + masker.finish()).decode("utf-8", "surrogateescape")


class _Needle:
    """One value, and where it comes next in the data at hand."""

    def __init__(self, value: bytes) -> None:
        self.value = value
        self._next = 0
        self._failures: array[int] | None = None

    def enter(self, data: bytes) -> None:
        """Begin with new data."""
        self._next = data.find(self.value)

    def find(self, data: bytes, position: int) -> int:
        """Find the value at or behind the position; -1 if it is not there. Positions only grow."""
        if 0 <= self._next < position:
            self._next = data.find(self.value, position)
        return self._next

    def unfinished(self, data: bytes, position: int) -> int:
        """Find where the longest end of the data begins that is a proper beginning of the value; its length if none."""
        start = max(position, len(data) - len(self.value) + 1)
        probe = self.value[:_PROBE_BYTES]
        candidate = data.find(probe, start)
        if candidate < 0:
            candidate = max(start, len(data) - len(probe) + 1)
            while candidate < len(data) and not probe.startswith(data[candidate:]):
                candidate += 1
            return candidate
        return len(data) - self._matched(data, candidate)

    def _matched(self, data: bytes, start: int) -> int:
        """Count how many of the value's first bytes the data ends with: Knuth, Morris and Pratt, linear at worst."""
        failures = self._failures = self._failures or _failures(self.value)
        value = self.value
        matched = 0
        for byte in data[start:]:
            while matched and value[matched] != byte:
                matched = failures[matched - 1]
            matched += value[matched] == byte
        return matched


def _failures(value: bytes) -> "array[int]":
    """For each beginning of the value: how long its longest proper end is that is a beginning of the value too."""
    failures = array("l", bytes(array("l").itemsize * len(value)))
    matched = 0
    for index in range(1, len(value)):
        while matched and value[matched] != value[index]:
            matched = failures[matched - 1]
        matched += value[matched] == value[index]
        failures[index] = matched
    return failures
