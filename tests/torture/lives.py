"""Starting lives, signalling them, waiting for their ends: the side of whoever tortures."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.torture.orders import Orders

ROOT: Final = Path(__file__).parents[2]
_PACKET_BYTES: Final = 65_536


class Life:
    """One server process, from its making to its end."""

    def __init__(self, orders: Orders, pid: int, ready: int, zygote: "Zygote") -> None:
        self.orders = orders
        self.pid = pid
        self.is_ready = False
        self.settled = asyncio.Event()  # ready, or ended
        self.struck = asyncio.Event()  # about to end itself, or ended
        self.struck_itself = False
        self.ended = asyncio.Event()
        self._words = ready
        self._zygote = zygote
        self._pidfd = os.pidfd_open(pid)  # it is not reaped before we say so: the number is still its own
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pidfd, self._on_end)
        loop.add_reader(ready, self._on_words)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended.is_set():
            signal.pidfd_send_signal(self._pidfd, number)

    async def ends_within(self, seconds: float) -> bool:
        """Wait for its end, but not for longer than that; tell whether it came."""
        return await _within(self.ended, seconds)

    async def strikes_within(self, seconds: float) -> bool:
        """Wait until it ends itself, but not for longer than that; tell whether it does."""
        return await _within(self.struck, seconds)

    async def reap(self) -> int:
        """Wait for the end; the exit status, negative for a signal. To be called once."""
        await self.ended.wait()
        status = await self._zygote.reap(self.pid)
        os.close(self._pidfd)
        return status

    def _on_words(self) -> None:
        words = os.read(self._words, 256)
        if b"ready" in words:
            self.is_ready = True
            self.settled.set()
        if b"struck" in words:
            self.struck_itself = True
            self.struck.set()
        if not words:
            asyncio.get_running_loop().remove_reader(self._words)
            os.close(self._words)
            self._words = -1

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        while self._words >= 0:  # nobody else has the other end: what was said comes, then the end
            self._on_words()
        self.ended.set()
        self.struck.set()
        self.settled.set()


class Zygote:
    """The process that lives are forked from; made by `zygote`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._turn = asyncio.Lock()

    async def start(self, orders: Orders, log: Path) -> Life:
        """Begin a life, whose output is appended to the log."""
        ready, writer = os.pipe2(os.O_CLOEXEC)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            pid = await self._ask({"start": orders.to_json()}, [writer, output])
        finally:
            os.close(writer)
            os.close(output)
        return Life(orders, pid, ready, self)

    async def reap(self, pid: int) -> int:
        """Give the exit status of a process that has ended."""
        return await self._ask({"reap": pid}, [])

    async def _ask(self, request: Mapping[str, str | int], fds: list[int]) -> int:
        packet = json.dumps(request).encode()
        async with self._turn:
            return await asyncio.to_thread(self._exchange, packet, fds)

    def _exchange(self, packet: bytes, fds: list[int]) -> int:
        socket.send_fds(self._channel, [packet], fds)
        answer = self._channel.recv(_PACKET_BYTES)
        if not answer:
            raise RuntimeError("the zygote has ended")
        return int(answer)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    """Have a zygote for the length of the block; what lives at its end is killed."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with its:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.torture.zygote", str(its.fileno())),
                cwd=ROOT,
                pass_fds=[its.fileno()],
            )
        try:
            if not await asyncio.to_thread(ours.recv, _PACKET_BYTES):
                raise RuntimeError("the zygote did not start")
            yield Zygote(ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            await process.wait()
