"""Ports that nobody else takes while a test wants them."""

import random
import socket

_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below those that the system gives to whoever asks for any."""


def free_port() -> int:
    """Choose a port for a server that comes later, or that comes again under the same one."""
    chance = random.SystemRandom()
    while True:
        port = chance.randint(_FIRST_PORT, _LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
