"""Keeps objects in a SQLite file of their own, with its own writer, so that none of them holds up anything else."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Final, Self

import structlog

from gofer.clock import Clock, SystemClock
from gofer.config.settings import SqliteObjectStoreSettings
from gofer.core.errors import GoferError, NotFound, ShuttingDown
from gofer.core.ids import BlobKey, InstanceId
from gofer.engines.object_store.pieces import in_pieces
from gofer.engines.object_store.rows import ObjectRows, Part
from gofer.engines.store_file import ENGINE_NAME, StoreFile
from gofer.lifecycle import OwnedTasks, owned_tasks

_log = structlog.get_logger(__name__)

_MIGRATIONS: Final = "gofer.engines.object_store.migrations"
_ID_BYTES: Final = 16


class SqliteObjectStore:
    """An `ObjectStoreEngine` on one file, which one server holds at a time.

    An object is rows of at most 1 MiB. They are stored one by one, and made visible together by the last.
    """

    name = ENGINE_NAME

    def __init__(self, settings: SqliteObjectStoreSettings, *, clock: Clock) -> None:
        self._file = StoreFile(
            settings.path, what="object store", migrations=_MIGRATIONS, make_unit=ObjectRows, clock=clock
        )
        self._stack = AsyncExitStack()
        self._tasks: OwnedTasks | None = None

    async def __aenter__(self) -> Self:
        """Open the file, made if it is missing. Raises `FailedPrecondition` where it is unsafe or no store."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._file)
            left_over = await self._file.read(lambda rows: rows.hidden())
            self._tasks = await stack.enter_async_context(owned_tasks())
            self._stack = stack.pop_all()
        for upload in left_over:
            self._clear_later(upload)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; what was not cleared away yet is left to the next start."""
        await self._stack.__aexit__(kind, error, trace)

    async def put(self, key: BlobKey, content: AsyncIterable[bytes]) -> int:
        """Store the rows, each in a transaction of its own, the last with what makes all of them visible."""
        upload = secrets.token_hex(_ID_BYTES)
        try:
            last, size_bytes = await self._stage(key, upload, content)
            replaced = await self._file.write(lambda rows: rows.publish(key, last))
        except BaseException:
            self._clear_later(upload)
            raise
        if replaced is not None:
            self._clear_later(replaced)
        return size_bytes

    async def _stage(self, key: BlobKey, upload: str, content: AsyncIterable[bytes]) -> tuple[Part, int]:
        """Store all parts but the last, which is given with the size of all in bytes; it is empty where all are."""
        last = Part(upload=upload, number=0, content=b"")
        size_bytes = 0
        async with aclosing(in_pieces(content)) as pieces:
            async for piece in pieces:
                if last.content:
                    await self._file.write(lambda rows, part=last: rows.stage(key, part))  # type: ignore[misc]
                last = Part(upload=upload, number=last.number + bool(last.content), content=piece)
                size_bytes += len(piece)
        return last, size_bytes

    async def get(self, key: BlobKey) -> AsyncGenerator[bytes, None]:
        """Read row after row. Raises `NotFound`, also in the middle of what is deleted meanwhile."""
        found = await self._file.read(lambda rows: rows.find(key))
        if found is None:
            raise NotFound(f"the object store has no content {key.blob}", blob=key.blob)
        upload, count = found
        for number in range(count):
            piece = await self._file.read(lambda rows, number=number: rows.part(upload, number))  # type: ignore[misc]
            if piece is None:
                raise NotFound(f"the content {key.blob} was deleted while it was read", blob=key.blob)
            yield piece

    async def delete(self, key: BlobKey) -> None:
        """Hide the rows and remove the first of them; those of a large object go in the background."""
        more = await self._file.write(lambda rows: rows.hide(key))
        if more is not None:
            self._clear_later(more)

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Read the keys, some hundreds at a time."""
        after = ""
        while page := await self._file.read(lambda rows, after=after: rows.page(instance, after)):  # type: ignore[misc]
            for key in page:
                yield key
            after = page[-1].blob

    def _clear_later(self, upload: str) -> None:
        if self._tasks is None:
            return
        try:
            self._tasks.spawn(self._clear(upload), name=f"clear object rows {upload}")
        except ShuttingDown:
            _log.debug("rows of an object are left to the next start", upload=upload)

    async def _clear(self, upload: str) -> None:
        # The writer keeps the order of the calls, so that nothing of the upload is stored after this.
        try:
            while await self._file.write(lambda rows: rows.clear_some(upload)):
                pass
        except GoferError as error:
            _log.warning("rows of an object are left to the next start", upload=upload, error=error.message)


def create(settings: SqliteObjectStoreSettings) -> SqliteObjectStore:
    """Make the engine for the file that the settings name."""
    return SqliteObjectStore(settings, clock=SystemClock())
