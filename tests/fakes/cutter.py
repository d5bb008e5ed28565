"""A proxy before a real socket, which cuts connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

CHUNK_BYTES = 64 * 1024


class Cutter:
    """Passes bytes between 127.0.0.1:port and a target, until told to cut.

    Attributes:
        port: where it listens.
        connections: how many it has taken so far.

    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0

    @classmethod
    @asynccontextmanager
    async def before(cls, target_port: int) -> AsyncIterator[Self]:
        """Stand before a port of 127.0.0.1."""
        cutter = cls(target_port)
        await cutter.listen()
        try:
            yield cutter
        finally:
            await cutter.refuse()
            cutter.cut()
            await asyncio.gather(*cutter._links, return_exceptions=True)

    async def listen(self) -> None:
        """Take connections, at the same port as before."""
        self._server = await asyncio.start_server(self._link, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take no more connections; those that are there go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Break all connections that are there."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            self._links.discard(task)
            return
        self._writers |= {writer, onward_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, onward_writer), name="cutter: to the target")
                group.create_task(self._pump(onward_reader, writer), name="cutter: from the target")
        finally:
            for one in (writer, onward_writer):
                one.transport.abort()
                self._writers.discard(one)
            self._links.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
