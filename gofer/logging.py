"""Structured logs: one JSON object a line on stderr, or lines for people.

Code takes its logger by `structlog.get_logger(__name__)` and gives ids as keywords; for a level that is off nothing is
rendered. What libraries log goes the same way. Lines are written by a thread, so that a reader of stderr that stopped
never holds the event loop up: then lines are dropped, as they are where the disk takes none, and their number is told
once there is room again.
"""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import structlog
from structlog.typing import EventDict, Processor

from gofer.config.settings import LogLevel, Settings

_LEVELS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.FATAL: logging.CRITICAL,
    LogLevel.PANIC: logging.CRITICAL,
}
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "exception": 3, "critical": 2}  # syslog's
_TALKATIVE: Final = ("aiohttp", "aiosqlite", "asyncio", "grpclib", "h2", "hpack")  # worth hearing from a warning on
_MOST_WAITING: Final = 10_000
_MOST_AT_ONCE: Final = 500
_GATHER_SECONDS: Final = 0.02
_LAST_LINES_SECONDS: Final = 2.0


@contextmanager
def set_up_logging(
    settings: Settings, *, stream: BinaryIO | None = None, to_journal: bool = False
) -> Iterator[Callable[[LogLevel], None]]:
    """Send everything that the process logs to `stream` (stderr), in order, for the length of the block.

    To the journal each line goes with its priority before it, which systemd takes off again.

    Gives what sets another level. Leaving it writes the lines that wait, for as long as the reader keeps up. Logging is
    the process's own: one such block at a time.
    """
    target = sys.stderr.buffer if stream is None else stream
    writer = _LineWriter(target)
    render = _for_people(colours=target.isatty()) if settings.development.pretty_logging else _for_programs()
    if to_journal:
        render.append(_with_priority)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, *render],
        logger_factory=lambda *names: _LineLogger(writer, names[0] if names else "gofer"),
        cache_logger_on_first_use=False,
    )
    handler = _LibraryHandler(writer, common=common, render=render)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    _set_level(settings.log_level)
    try:
        yield _set_level
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        structlog.reset_defaults()
        writer.close()


def _set_level(chosen: LogLevel) -> None:
    level = _LEVELS[chosen]
    structlog.configure(**structlog.get_config() | {"wrapper_class": structlog.make_filtering_bound_logger(level)})
    logging.getLogger().setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _for_programs() -> list[Processor]:
    # The fallback for values that are not JSON is repr, in which secrets hide themselves.
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _for_people(*, colours: bool) -> list[Processor]:
    # The formatter that would be taken where Rich is installed shows local variables, and in them requests and secrets.
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]


def _with_priority(_: object, method: str, line: EventDict | str) -> str:
    return f"<{_PRIORITIES.get(method, _PRIORITIES['info'])}>{line}"


class _LineWriter:
    """Owns the stream: takes lines from any thread, writes them in its own.

    Waking a thread costs the one that wakes it more than making a line, so that lines are gathered for a moment first.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._lock = threading.Lock()
        self._dropped = 0
        self._is_over = False
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        if len(self._lines) >= _MOST_WAITING:
            with self._lock:
                self._dropped += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join(_LAST_LINES_SECONDS)  # where nobody reads, the daemon thread ends with the process

    def _run(self) -> None:
        while True:
            self._wake.wait()
            closing = self._closing.wait(_GATHER_SECONDS)
            self._wake.clear()
            while self._put_next():
                pass
            if closing or self._is_over:
                return

    def _put_next(self) -> bool:
        """Write what waits, a part of it at a time; tell whether more may wait, and can be written."""
        lines = [self._lines.popleft() for _ in range(min(len(self._lines), _MOST_AT_ONCE))]
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if not lines and not dropped:
            return False
        told = (
            [f'{{"event": "log lines were dropped: nobody took them in time", "count": {dropped}}}'] if dropped else []
        )
        text = "\n".join([*lines, *told, ""])
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace"))
            self._stream.flush()
        except (BrokenPipeError, ValueError):  # the reader has gone, or the stream was closed
            self._is_over = True
        except OSError:  # such as a full disk
            with self._lock:
                self._dropped += dropped + len(lines)
        else:
            return True
        return False


class _LineLogger:
    """What structlog gives its rendered lines to."""

    def __init__(self, writer: _LineWriter, name: str) -> None:
        self.name = name
        self._write = writer.write

    def msg(self, message: str) -> None:
        """Write one line."""
        self._write(message)

    debug = info = warning = error = critical = fatal = log = exception = msg


class _LibraryHandler(logging.Handler):
    """Sends what libraries log the same way."""

    def __init__(self, writer: _LineWriter, *, common: list[Processor], render: list[Processor]) -> None:
        super().__init__()
        self._write = writer.write
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=common,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one line."""
        self._write(self.format(record))
