"""The SQLite file behind a store: open as long as its engine is, its failures in the words of a store."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from gofer.clock import Clock
from gofer.core.errors import EngineUnavailable, Unavailable
from gofer.sqlite import Connection, Database, open_database

T = TypeVar("T")
U = TypeVar("U")

ENGINE_NAME: Final = "sqlite"


class StoreFile(Generic[U]):
    """A file of a store, which `what` calls by its name; `U` is its unit of work."""

    def __init__(
        self,
        path: Path,
        *,
        what: str,
        migrations: str,
        make_unit: Callable[[Connection, datetime], U],
        clock: Clock,
    ) -> None:
        self._open = partial(open_database, path, migrations=migrations, make_unit=make_unit, clock=clock)
        self._what = what
        self._stack = AsyncExitStack()
        self._database: Database[U] | None = None

    async def __aenter__(self) -> Self:
        """Open the file, made if it is missing. Raises `FailedPrecondition` where it is unsafe or no store."""
        self._database = await self._stack.enter_async_context(self._open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._database = None
        await self._stack.__aexit__(kind, error, trace)

    async def write(self, function: Callable[[U], T]) -> T:
        """Do as `Database.write` does. Raises `EngineUnavailable` while the file can't be used."""
        database = self._use()
        try:
            return await database.write(function)
        except Unavailable as error:
            raise self._unavailable(error) from error

    async def read(self, function: Callable[[U], T]) -> T:
        """Do as `Database.read` does. Raises `EngineUnavailable` while the file can't be used."""
        database = self._use()
        try:
            return await database.read(function)
        except Unavailable as error:
            raise self._unavailable(error) from error

    def _use(self) -> Database[U]:
        if self._database is None:
            raise EngineUnavailable(f"the {self._what} is not open: the server is starting or stopping")
        return self._database

    def _unavailable(self, error: Unavailable) -> EngineUnavailable:
        return EngineUnavailable(f"the {self._what} can't be used now: {error.message}", engine=ENGINE_NAME)
