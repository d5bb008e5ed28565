"""What a container of the memory engine does: read from its own environment.

| key | meaning |
|---|---|
| `GOFER_MEMORY_LOG` | text written to stdout at the start; a newline is added at its end where there is none |
| `GOFER_MEMORY_LOG_STDERR` | the same for stderr, after stdout |
| `GOFER_MEMORY_OUTPUT` | exact bytes, after those: words `out:BASE64` and `err:BASE64` in their order |
| `GOFER_MEMORY_SLEEP` | a Go duration by the engine's clock, then it ends (default: it ends at once) |
| `GOFER_MEMORY_HOLD` | `true`: it runs until it is stopped or `MemoryEngine.release` ends it |
| `GOFER_MEMORY_EXIT_CODE` | 0 to 255, the code with which it ends by itself (default 0) |
| `GOFER_MEMORY_IGNORE_SIGTERM` | `true`: only a kill stops it |
| `GOFER_MEMORY_FAIL_CREATE` | the sentence with which `create` refuses it |
| `GOFER_MEMORY_FAIL_START` | the sentence with which `start` refuses it |

An image below the registry `missing.invalid/` is never found.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeVar

from gofer.core.errors import InvalidInput
from gofer.core.output import LogChunk, LogStream
from gofer_sdk.rules.durations import parse_duration

T = TypeVar("T")

KEY_PREFIX: Final = "GOFER_MEMORY_"
MISSING_REGISTRY: Final = "missing.invalid/"
_MAX_EXIT_CODE: Final = 255
_STREAMS: Final = {"out": LogStream.STDOUT, "err": LogStream.STDERR}
_NOTHING: Final[tuple[LogChunk, ...]] = ()
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


class MemoryKey(StrEnum):
    """The environment keys that script a container."""

    LOG = "GOFER_MEMORY_LOG"
    LOG_STDERR = "GOFER_MEMORY_LOG_STDERR"
    OUTPUT = "GOFER_MEMORY_OUTPUT"
    SLEEP = "GOFER_MEMORY_SLEEP"
    HOLD = "GOFER_MEMORY_HOLD"
    EXIT_CODE = "GOFER_MEMORY_EXIT_CODE"
    IGNORE_SIGTERM = "GOFER_MEMORY_IGNORE_SIGTERM"
    FAIL_CREATE = "GOFER_MEMORY_FAIL_CREATE"
    FAIL_START = "GOFER_MEMORY_FAIL_START"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryScript:
    """What one container does. Empty `fail_*` mean that it does not fail there."""

    output: tuple[LogChunk, ...]
    sleep: timedelta
    hold: bool
    exit_code: int
    ignores_sigterm: bool
    fail_create: str
    fail_start: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "MemoryScript":
        """Read the script from a container's environment. Raises `InvalidInput` with every fault listed."""
        reader = _Reader(environment)
        script = cls(
            output=(
                *reader.read(MemoryKey.LOG, lambda text: tuple(_lines(text, LogStream.STDOUT)), _NOTHING),
                *reader.read(MemoryKey.LOG_STDERR, lambda text: tuple(_lines(text, LogStream.STDERR)), _NOTHING),
                *reader.read(MemoryKey.OUTPUT, _exact, _NOTHING),
            ),
            sleep=reader.read(MemoryKey.SLEEP, parse_duration, timedelta()),
            hold=reader.read(MemoryKey.HOLD, _boolean, default=False),
            exit_code=reader.read(MemoryKey.EXIT_CODE, _exit_code, 0),
            ignores_sigterm=reader.read(MemoryKey.IGNORE_SIGTERM, _boolean, default=False),
            fail_create=environment.get(MemoryKey.FAIL_CREATE, ""),
            fail_start=environment.get(MemoryKey.FAIL_START, ""),
        )
        reader.check()
        return script


class _Reader:
    """Reads keys and gathers their faults."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        known = {str(key) for key in MemoryKey}
        unknown = sorted(key for key in environment if key.startswith(KEY_PREFIX) and key not in known)
        self._faults = [
            f"{key} is not known to the memory engine: it knows {', '.join(sorted(known))}" for key in unknown
        ]

    def read(self, key: MemoryKey, parse: Callable[[str], T], default: T) -> T:
        text = self._environment.get(key)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._faults.append(f"{key}: {error}")
            return default

    def check(self) -> None:
        if self._faults:
            raise InvalidInput("; ".join(self._faults), faults=tuple(self._faults))


def encode_output(chunks: tuple[LogChunk, ...]) -> str:
    """Write chunks as `GOFER_MEMORY_OUTPUT` takes them."""
    words = {stream: word for word, stream in _STREAMS.items()}
    return " ".join(f"{words[chunk.stream]}:{base64.b64encode(chunk.data).decode()}" for chunk in chunks)


def _lines(text: str, stream: LogStream) -> Iterator[LogChunk]:
    if text:
        whole = text if text.endswith("\n") else text + "\n"
        yield LogChunk(stream=stream, data=whole.encode("utf-8", "surrogateescape"))


def _exact(text: str) -> tuple[LogChunk, ...]:
    return tuple(_chunk(word) for word in text.split())


def _chunk(word: str) -> LogChunk:
    name, _, encoded = word.partition(":")
    if name not in _STREAMS:
        message = f"a word begins with {name[:20]!r}; write out:BASE64 or err:BASE64"
        raise ValueError(message)
    try:
        return LogChunk(stream=_STREAMS[name], data=base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        message = f"a word is not base64: {error}"
        raise ValueError(message) from error


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        message = f"{text[:20]!r} is neither true nor false"
        raise ValueError(message)
    return _BOOLEANS[text.lower()]


def _exit_code(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_EXIT_CODE:
        message = f"{text[:20]!r} is no exit code: write a number from 0 to {_MAX_EXIT_CODE}"
        raise ValueError(message)
    return int(text)
