"""Telling systemd how the start and the stop go on, and that the loop still turns. Without systemd, nothing happens."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import timedelta


class ServiceManager:
    """Speaks systemd's notification protocol to the socket that it names in the environment."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_interval = _watchdog_interval(environment)
        """How often systemd wants to hear that the server lives; zero: it does not ask."""

    def ready(self, *, status: str) -> None:
        """Say that the server answers; `status` is what `systemctl status` shows."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def reloading(self, *, status: str) -> None:
        """Say that the settings are being read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """Say what the server does now."""
        self._send(f"STATUS={_one_line(status)}")

    def alive(self) -> None:
        """Say that the server lives, for the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self, *, status: str) -> None:
        """Say that the server has begun to stop."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def _send(self, message: str) -> None:
        if self._address[:1] not in {"/", "@"}:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A manager that does not listen is no reason to fail, and a full socket none to wait.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)  # noqa: FBT003 - the standard library's own signature
            channel.sendto(message.encode(), address)


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether what is written to an open file goes to systemd's journal, which reads priorities (`<4>`)."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _watchdog_interval(environment: Mapping[str, str]) -> timedelta:
    """Give half of what systemd waits for, as its manual advises."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return timedelta()  # meant for another process
    try:
        return timedelta(microseconds=int(environment.get("WATCHDOG_USEC", "0"))) / 2
    except (ValueError, OverflowError):
        return timedelta()


class Watchdog:
    """A worker that tells systemd, from the event loop, that the loop turns; it ends at once where nobody asks."""

    name = "systemd watchdog"

    def __init__(self, manager: ServiceManager) -> None:
        """Tell this manager."""
        self._manager = manager
        self._stopped = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Tell it until stopped."""
        ready()
        seconds = self._manager.watchdog_interval.total_seconds()
        while seconds and not self._stopped.is_set():
            self._manager.alive()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopped.wait()

    def stop(self) -> None:
        """Tell it no more."""
        self._stopped.set()
