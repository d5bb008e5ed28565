"""A proxy before a Docker daemon's socket: it loses answers, cuts, holds back, delays, chops, and answers itself."""

import asyncio
import json
import os
import re
import socket as sockets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

CHUNK_BYTES = 64 * 1024
REQUEST = re.compile(rb"^(GET|POST|HEAD|DELETE) (?:/v[0-9.]+)?/(\S*) HTTP/1\.[01]\r\n")


def docker_socket() -> Path:
    """Give the socket of the daemon that the tests use."""
    return Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))


@dataclass(slots=True, eq=False)
class _Link:
    """One connection, and what was asked for on it last."""

    client: asyncio.StreamWriter
    daemon: asyncio.StreamWriter
    request: str = ""
    bytes_left: int | None = None  # of the answer, before the connection is cut

    def cut(self) -> None:
        for writer in (self.client, self.daemon):
            writer.close()


@dataclass(slots=True)
class DockerCutter:
    """Passes requests on to a daemon, until told otherwise.

    Attributes:
        socket: where it listens.
        requests: what was asked for so far, such as `POST containers/abc/start`.
        chop_bytes: pass answers on in pieces of that size; 0: as they come.
        delay: hold every request back for so long.

    """

    target: Path
    socket: Path
    requests: list[str] = field(default_factory=list)
    chop_bytes: int = 0
    delay: timedelta = timedelta()
    _listener: sockets.socket | None = None
    _links: set[_Link] = field(default_factory=set)
    _cuts: list[tuple[str, int]] = field(default_factory=list)
    _holds: list[tuple[str, asyncio.Event]] = field(default_factory=list)
    _answers_to: list[tuple[str, bytes]] = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def before(cls, target: Path) -> AsyncIterator[Self]:
        """Stand before that socket."""
        with tempfile.TemporaryDirectory(prefix="gofer-cutter-") as folder:  # a test's own path may be too long
            cutter = cls(target=target, socket=Path(folder) / "docker.sock")
            await cutter.listen()
            try:
                yield cutter
            finally:
                await cutter.refuse()
                cutter.cut()
                await asyncio.gather(*cutter._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Give the socket as a Docker host."""
        return f"unix://{self.socket}"

    async def listen(self) -> None:
        """Take connections (again)."""
        self.socket.unlink(missing_ok=True)
        listener = self._listener = sockets.socket(sockets.AF_UNIX)
        listener.settimeout(0)
        listener.bind(str(self.socket))
        listener.listen()
        asyncio.get_running_loop().add_reader(listener, self._take, listener)

    async def refuse(self) -> None:
        """Take no more connections; those that are there go on.

        A server of asyncio's own would lose, and leave open, what it has taken just before.
        """
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.socket.unlink(missing_ok=True)

    def cut(self, asked_for: str = "") -> int:
        """End the connections on which that was asked for last, all by default; say how many."""
        cut = [link for link in self._links if re.search(asked_for, link.request)]
        for link in cut:
            link.cut()
        return len(cut)

    def cut_answer(self, asked_for: str, *, after_bytes: int = 0) -> None:
        """End the connection of the next request for that after so much of its answer; it reaches the daemon."""
        self._cuts.append((asked_for, after_bytes))

    @contextmanager
    def holding(self, asked_for: str) -> Iterator[None]:
        """Hold requests for that back for the length of the block."""
        hold = (asked_for, asyncio.Event())
        self._holds.append(hold)
        try:
            yield
        finally:
            self._holds.remove(hold)
            hold[1].set()

    @contextmanager
    def answering(self, asked_for: str, words: str, *, status: int = 500) -> Iterator[None]:
        """Answer requests for that in the daemon's place for the length of the block; it hears nothing of them."""
        body = json.dumps({"message": words}).encode()
        head = f"HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        rule = (asked_for, head.encode() + b"Connection: close\r\n\r\n" + body)
        self._answers_to.append(rule)
        try:
            yield
        finally:
            self._answers_to.remove(rule)

    def asked(self, for_what: str) -> int:
        """Count the requests for that."""
        return sum(bool(re.search(for_what, request)) for request in self.requests)

    def open_for(self, what: str) -> int:
        """Count the connections that are open and were last used for that."""
        return sum(bool(re.search(what, link.request)) for link in self._links)

    def _take(self, listener: sockets.socket) -> None:
        with suppress(BlockingIOError):
            connection, _ = listener.accept()
            task = asyncio.get_running_loop().create_task(self._serve(connection), name="cutter: a connection")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: sockets.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            daemon_reader, daemon_writer = await asyncio.open_unix_connection(self.target)
        except OSError:
            writer.close()
            return
        link = _Link(writer, daemon_writer)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(link, reader), name="cutter: to the daemon")
                group.create_task(self._answers(link, daemon_reader), name="cutter: from the daemon")
        finally:
            self._links.discard(link)
            link.cut()

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if (match := REQUEST.match(data)) and await self._is_answered(link, match):
                    break
                link.daemon.write(data)
                await link.daemon.drain()
        link.cut()

    async def _is_answered(self, link: _Link, match: re.Match[bytes]) -> bool:
        """Tell whether the request was answered in the daemon's place."""
        await self._asked(link, f"{match[1].decode()} {match[2].decode()}")
        answer = self._answer_to(link.request)
        if answer:
            link.client.write(answer)
        return bool(answer)

    async def _asked(self, link: _Link, request: str) -> None:
        link.request = request
        link.bytes_left = None
        self.requests.append(request)
        for cut in self._cuts:
            if re.search(cut[0], request):
                self._cuts.remove(cut)
                link.bytes_left = cut[1]
                break
        for asked_for, released in tuple(self._holds):
            if re.search(asked_for, request):
                await released.wait()
        await asyncio.sleep(self.delay.total_seconds())

    def _answer_to(self, request: str) -> bytes:
        return next((answer for asked_for, answer in self._answers_to if re.search(asked_for, request)), b"")

    async def _answers(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(self.chop_bytes or CHUNK_BYTES):
                if link.bytes_left is not None:
                    data, link.bytes_left = data[: link.bytes_left], link.bytes_left - len(data)
                link.client.write(data)
                await link.client.drain()
                if link.bytes_left is not None and link.bytes_left <= 0:
                    break
                if self.chop_bytes:
                    await asyncio.sleep(0)
        link.cut()
