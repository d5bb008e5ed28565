"""A few read-only connections, each on its own thread; a new transaction for each read."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

import aiosqlite

from gofer.core.errors import ShuttingDown
from gofer.sqlite.connection import on_thread, reader_connection
from gofer.sqlite.errors import translate

T = TypeVar("T")
U = TypeVar("U")

_STEPS_BETWEEN_LOOKS: Final = 100_000  # of SQLite's machine, a millisecond or two: looking needs the interpreter lock


class _Ticket:
    """One read, as seen from both sides: the loop marks it, the connection's thread looks at the mark."""

    __slots__ = ("unwanted",)

    def __init__(self) -> None:
        self.unwanted = False


class _Reader:
    """A connection and the read that it works for."""

    __slots__ = ("connection", "ticket")

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.ticket = _Ticket()

    def watch(self, raw: sqlite3.Connection) -> None:
        """End statements whose read is unwanted.

        `Connection.interrupt` would not do: it has no effect on a function that is between two statements.
        """
        raw.set_progress_handler(lambda: self.ticket.unwanted, _STEPS_BETWEEN_LOOKS)


class Readers(Generic[U]):
    """The pool; `Database` is its public face. The loop owns all its state."""

    def __init__(
        self,
        readers: list[_Reader],
        *,
        make_unit: Callable[[sqlite3.Connection, datetime], U],
        now: Callable[[], datetime],
    ) -> None:
        self._all = tuple(readers)
        self._free = list(readers)
        self._places = asyncio.Semaphore(len(readers))
        self._make_unit = make_unit
        self._now = now
        self._closed = False

    async def read(self, function: Callable[[U], T]) -> T:
        """Run `function` on a free connection; see `Database.read`."""
        await self._places.acquire()
        if self._closed:
            self._places.release()
            raise ShuttingDown("the database is closing")
        reader = self._free.pop()
        reader.ticket = ticket = _Ticket()
        loop = asyncio.get_running_loop()

        def work(raw: sqlite3.Connection) -> T:
            # The thread gives the connection back, not the caller: a cancelled caller is gone before the read ends.
            try:
                return self._in_transaction(raw, function)
            finally:
                loop.call_soon_threadsafe(self._give_back, reader)

        try:
            return await on_thread(reader.connection, work)
        except asyncio.CancelledError:
            ticket.unwanted = True
            raise
        except sqlite3.Error as error:
            if self._closed:
                raise ShuttingDown("the database is closing") from error
            raise translate(error) from error

    def close(self) -> None:
        """Take no more reads and end those that run."""
        self._closed = True
        for reader in self._all:
            reader.ticket.unwanted = True

    def _give_back(self, reader: _Reader) -> None:
        self._free.append(reader)
        self._places.release()

    def _in_transaction(self, raw: sqlite3.Connection, function: Callable[[U], T]) -> T:
        raw.execute("BEGIN")
        try:
            return function(self._make_unit(raw, self._now()))
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")


@asynccontextmanager
async def open_readers(
    path: Path,
    *,
    count: int,
    make_unit: Callable[[sqlite3.Connection, datetime], U],
    now: Callable[[], datetime],
) -> AsyncIterator[Readers[U]]:
    """Open `count` connections for the length of the block."""
    async with AsyncExitStack() as stack:
        readers: list[_Reader] = []
        for _ in range(count):
            connection = await stack.enter_async_context(reader_connection(path))
            reader = _Reader(connection)
            await on_thread(connection, reader.watch)
            readers.append(reader)
        pool = Readers(readers, make_unit=make_unit, now=now)
        stack.callback(pool.close)
        yield pool
