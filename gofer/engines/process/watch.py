"""Waiting for the end of a process, ours or adopted, without asking again and again."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from gofer.engines.process.group import signal_group
from gofer.engines.protocols import ContainerStatus


class Watch:
    """One attempt, as this server follows it: not started, running (a pidfd tells its end), ended.

    Used on the event loop only.
    """

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.status: ContainerStatus | None = None  # how it ended, where that is known already
        self._pid = 0
        self._pidfd = -1
        self._listeners: set[Callable[[], object]] = set()

    @property
    def is_running(self) -> bool:
        """Whether a process is followed."""
        return self._pidfd >= 0

    @property
    def was_started(self) -> bool:
        """Whether it runs or has ended."""
        return self.is_running or self.ended.is_set()

    def attach(self, pid: int, pidfd: int) -> None:
        """Follow a process; the descriptor is the watch's from now on. Only the first one counts."""
        if self.was_started:
            os.close(pidfd)
            return
        self._pid, self._pidfd = pid, pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._on_end)

    def mark_ended(self, status: ContainerStatus | None = None) -> None:
        """Take the attempt for ended; whoever waits goes on."""
        self.status = status
        self.detach()
        if not self.ended.is_set():
            self.ended.set()
            for listener in tuple(self._listeners):
                listener()

    def on_end(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call the listener at the end; what comes back takes it off."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if it runs."""
        if self.is_running:
            signal_group(self._pid, number)

    def detach(self) -> None:
        """Follow no more; the process goes on."""
        if self.is_running:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _on_end(self) -> None:
        # Before the reaping, while the number is certainly still the group's: where the shim was killed from outside,
        # its command may go on.
        signal_group(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # adopted: another one's child
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        self.mark_ended()
