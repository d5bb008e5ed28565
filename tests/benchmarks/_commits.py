"""The disk's floor: durable commits of one row each, made by SQLite alone."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Self

MILLISECONDS = 1000


class Commits:
    """A database of its own, in the folder whose disk is to be measured; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "floor.db", isolation_level=None, check_same_thread=False)
        statements = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE IF NOT EXISTS rows (value)")
        for statement in statements:
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    async def milliseconds_of(self, count: int) -> float:
        """Make so many, one after the other; how long all of them took."""
        return await asyncio.to_thread(self._seconds_of, count) * MILLISECONDS

    def _seconds_of(self, count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            self._connection.execute("INSERT INTO rows VALUES (?)", (number,))
        return time.perf_counter() - began
