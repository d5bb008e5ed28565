"""The user's own terminal, raw for as long as another one is shown on it, and given back as it was whatever happens."""

import asyncio
import atexit
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

END_OF_INPUT: Final = b"\x04"
_READ_BYTES: Final = 64 * 1024
_ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


class LocalTerminal:
    """Standard input and output; a terminal, or not."""

    def __init__(self) -> None:
        self._stdin = sys.stdin.fileno()

    @property
    def is_interactive(self) -> bool:
        """Whether somebody types, and sees what is printed."""
        return os.isatty(self._stdin) and sys.stdout.isatty()

    @property
    def size(self) -> os.terminal_size | None:
        """The size of the window; None where there is none that tells."""
        try:
            found = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return None
        return found if found.lines and found.columns else None

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Hand every key on as it is, Ctrl-C too, for the length of the block; nothing where nobody types.

        The modes of before are put back at its end, at the end of the process, and by the signals that end it.
        """
        if not self.is_interactive:
            yield
            return
        before = termios.tcgetattr(self._stdin)

        def restore() -> None:
            termios.tcsetattr(self._stdin, termios.TCSADRAIN, before)

        atexit.register(restore)
        try:
            with _restored_by_signals(restore):
                tty.setraw(self._stdin, termios.TCSADRAIN)  # what was typed ahead is for the task, too
                yield
        finally:
            restore()
            atexit.unregister(restore)

    @contextmanager
    def on_resize(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell` whenever the window has another size."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, tell)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)

    async def typed(self) -> AsyncGenerator[bytes, None]:
        """Yield what comes in, as it comes, to its end; where no terminal is, the end is that of the remote input."""
        chunks: asyncio.Queue[bytes] = asyncio.Queue()
        wanted = threading.Semaphore(1)
        loop = asyncio.get_running_loop()
        # A thread of its own that nobody waits for: a read of standard input can't be taken back.
        threading.Thread(target=_read_all, args=(self._stdin, loop, chunks, wanted), daemon=True).start()
        is_whole_line = True
        while data := await chunks.get():
            is_whole_line = data.endswith(b"\n")
            yield data
            wanted.release()
        if not self.is_interactive:  # it means the end at the start of a line only
            yield END_OF_INPUT if is_whole_line else b"\n" + END_OF_INPUT


def _read_all(
    descriptor: int, loop: asyncio.AbstractEventLoop, chunks: "asyncio.Queue[bytes]", wanted: threading.Semaphore
) -> None:
    """Read on only when what was read has been taken; the end is an empty piece."""
    data = b"."
    while data:
        wanted.acquire()
        try:
            data = os.read(descriptor, _READ_BYTES)
        except OSError:
            data = b""
        try:
            loop.call_soon_threadsafe(chunks.put_nowait, data)
        except RuntimeError:  # the loop has ended, and with it whoever wanted it
            return


@contextmanager
def _restored_by_signals(restore: Callable[[], object]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in _ENDING_SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    finally:
        for number in _ENDING_SIGNALS:
            loop.remove_signal_handler(number)
