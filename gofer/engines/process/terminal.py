"""Commands on a pseudo-terminal beside a process task, in a session of their own.

They are children of this server: its end, also by a kill, hangs their terminal up. Their environment is that of the
task's own command, as the system has it.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from gofer.core.errors import FailedPrecondition
from gofer.engines.process.folder import AttemptFolder
from gofer.engines.process.group import children_of, end_session
from gofer.engines.process.threads import Threads
from gofer.engines.terminals import TerminalSize, TerminalSpec

_READ_BYTES: Final = 64 * 1024
_HANG_UP_GRACE: Final = timedelta(seconds=1)
_RUN: Final = 'cd "$1" || exit; shift; unset PWD OLDPWD; exec "$@"'
_UNTRAPPABLE: Final = (signal.SIGKILL, signal.SIGSTOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spawned:
    """A child that leads a session, a descriptor of it, and the terminal's other side."""

    pid: int
    pidfd: int
    master: int


@asynccontextmanager
async def process_terminal(
    folder: AttemptFolder, spec: TerminalSpec, *, sh: str, threads: Threads
) -> AsyncIterator["ProcessTerminal"]:
    """Open a terminal beside the task of a folder. Raises `FailedPrecondition` where that does not run."""
    terminal = ProcessTerminal(await threads.made(lambda: _spawn(folder, spec, sh), drop=_drop))
    try:
        yield terminal
    finally:
        await terminal.close(threads)


class ProcessTerminal:
    """The terminal of one child."""

    def __init__(self, spawned: _Spawned) -> None:
        """Own the descriptors; `close` gives them back."""
        self._pid = spawned.pid
        self._pidfd = spawned.pidfd
        self._master = spawned.master
        self._ended = asyncio.Event()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._is_open = True
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    async def read(self) -> bytes:
        """Give what was printed."""
        while True:
            try:
                return os.read(self._master, _READ_BYTES)
            except BlockingIOError:
                if self._ended.is_set():  # who it left in the background may hold the terminal
                    return b""
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                await self._ended.wait()
                return b""
            await self._until_readable()

    async def write(self, data: bytes) -> None:
        """Type bytes."""
        left = memoryview(data)
        while left and not self._ended.is_set():
            try:
                left = left[os.write(self._master, left) :]
            except BlockingIOError:
                await self._until_writable()
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return

    async def resize(self, size: TerminalSize) -> None:
        """Set the window's size; the kernel tells the command."""
        _set_size(self._master, size)

    async def exit_code(self) -> int | None:
        """Give 128 + N for a death by signal N."""
        await self._ended.wait()
        seen = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # noqa: ASYNC222 (it never waits)
        if seen is None:
            return None
        return seen.si_status if seen.si_code == os.CLD_EXITED else 128 + seen.si_status

    async def close(self, threads: Threads) -> None:
        """Hang up, kill what is left of the session after a moment, and reap the child."""
        if not self._is_open:
            return
        self._is_open = False
        os.close(self._master)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HANG_UP_GRACE.total_seconds()):
                    await self._ended.wait()
        finally:
            # Off the loop and to its end, also where the wait was cancelled: nothing of it may go on.
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            await threads.run_to_end(lambda: _end(self._pid), lambda _: None)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._ended.set()
        self._readable.set()
        self._writable.set()

    async def _until_readable(self) -> None:
        self._readable.clear()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._readable.set)
        try:
            await self._readable.wait()
        finally:
            loop.remove_reader(self._master)

    async def _until_writable(self) -> None:
        self._writable.clear()
        loop = asyncio.get_running_loop()
        loop.add_writer(self._master, self._writable.set)
        try:
            await self._writable.wait()
        finally:
            loop.remove_writer(self._master)


def _spawn(folder: AttemptFolder, spec: TerminalSpec, sh: str) -> _Spawned:
    environment = _environment_of(folder) | dict(spec.environment)
    master, slave = os.openpty()
    try:
        _set_size(master, spec.size)
        os.set_blocking(master, False)
        pid = _spawn_on(
            os.ttyname(slave), (sh, "-c", _RUN, "gofer-attach", str(folder.work), *spec.command), environment
        )
    except BaseException as error:
        os.close(master)
        if isinstance(error, OSError):
            raise FailedPrecondition(f"the command can't be run: {error.strerror}") from error
        raise
    finally:
        os.close(slave)
    try:
        return _Spawned(pid=pid, pidfd=os.pidfd_open(pid), master=master)
    except OSError:  # too many files are open
        os.close(master)
        _end(pid)
        raise


def _spawn_on(terminal: str, words: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Start a leader of a session; the first terminal that such a one opens is the session's own."""
    return os.posix_spawn(
        words[0],
        words,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals().difference(_UNTRAPPABLE),
    )


def _environment_of(folder: AttemptFolder) -> dict[str, str]:
    """Give the environment that the task's command was begun with."""
    seen = folder.look()
    if seen is None or seen.shim is None:
        raise FailedPrecondition("the task does not run any more", folder=folder.path.name)
    for pid in (*children_of(seen.shim.pid), seen.shim.pid):
        with contextlib.suppress(OSError):
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return dict(os.fsdecode(entry).split("=", 1) for entry in entries if b"=" in entry)
    raise FailedPrecondition("the task does not run any more", folder=folder.path.name)


def _drop(spawned: _Spawned) -> None:
    os.close(spawned.master)
    os.close(spawned.pidfd)
    _end(spawned.pid)


def _end(pid: int) -> None:
    """Kill what is left of the session of a child, and reap that."""
    end_session(pid)
    os.waitpid(pid, 0)


def _set_size(descriptor: int, size: TerminalSize) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
