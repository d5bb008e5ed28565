"""Telling systemd how the start and the stop go on. Without systemd, nothing happens."""

import contextlib
import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """Speaks systemd's notification protocol to the socket that it names in the environment."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self, *, status: str) -> None:
        """Say that the server answers; `status` is what `systemctl status` shows."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

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


def _one_line(text: str) -> str:
    return " ".join(text.split())
