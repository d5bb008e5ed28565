"""Keeps objects as files of a folder of their own, each under an id that tells nothing."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog

from gofer.config.settings import FilesystemObjectStoreSettings
from gofer.core.errors import EngineUnavailable, InvalidInput, NotFound, ShuttingDown
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.object_store.files import Reading, Upload, copied
from gofer.engines.object_store.pieces import in_pieces
from gofer.files import ensure_private_folder, folder_lock
from gofer.lifecycle import OwnedTasks, owned_tasks

_log = structlog.get_logger(__name__)

T = TypeVar("T")

_STAGING: Final = "staging"
_KEPT: Final = "kept"
_ID_BYTES: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,127}")
_FOLDER_LETTERS: Final = 2


class FilesystemObjectStore:
    """An `ObjectStoreEngine` on a folder, which one server holds at a time.

    A file is written aside and renamed once all of it is on the disk.
    """

    name = "filesystem"

    def __init__(self, settings: FilesystemObjectStoreSettings) -> None:
        self._folder = settings.path
        self._stack = AsyncExitStack()
        self._tasks: OwnedTasks | None = None

    async def __aenter__(self) -> Self:
        """Open the folder, made if it is missing, and remove what uploads have left.

        Raises `FailedPrecondition` where it is unsafe, or another server's.
        """
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(self._ensure_folders)
            stack.enter_context(folder_lock(self._folder, setting="object_store.filesystem.path"))
            await _on_disk(self._sweep)
            self._tasks = await stack.enter_async_context(owned_tasks())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the folder."""
        self._tasks = None
        await self._stack.__aexit__(kind, error, trace)

    async def put(self, key: BlobKey, content: AsyncIterable[bytes]) -> int:
        """Write a file aside, and rename it."""
        target = self._path(key)
        upload = Upload(self._folder / _STAGING / secrets.token_hex(_ID_BYTES))
        size_bytes = 0
        try:
            async with aclosing(in_pieces(content)) as pieces:
                async for piece in pieces:
                    await _on_disk(lambda piece=piece: upload.write(piece))  # type: ignore[misc]
                    size_bytes += len(piece)
            await _on_disk(lambda: upload.publish(target))
        except BaseException:
            self._finish_later(upload.abandon)
            raise
        return size_bytes

    async def get(self, key: BlobKey) -> AsyncGenerator[bytes, None]:
        """Read the file that is there at the beginning, also if it is deleted meanwhile."""
        reading = Reading(self._path(key))

        def read() -> bytes:
            try:
                return reading.read()
            except FileNotFoundError:
                raise NotFound(f"the object store has no content {key.blob}", blob=key.blob) from None

        try:
            while piece := await _on_disk(read):
                yield piece
        finally:
            self._finish_later(reading.close)

    async def delete(self, key: BlobKey) -> None:
        """Remove the file."""
        path = self._path(key)
        await _on_disk(lambda: path.unlink(missing_ok=True))

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Read one folder after the other."""
        top = self._folder / _KEPT / _checked(instance)
        for folder in await _on_disk(lambda: _entries(top)):
            for name in await _on_disk(lambda folder=folder: _entries(top / folder)):  # type: ignore[misc]
                yield BlobKey(instance=instance, blob=BlobId(name))

    async def back_up(self, keys: Collection[BlobKey], folder: Path) -> Collection[BlobKey]:
        """Copy the files, which never change, into a folder like this store's."""
        return await asyncio.to_thread(self._missing, keys, folder)

    async def restore(self, folder: Path) -> None:
        """Copy the files of such a folder aside, and rename them."""
        await asyncio.to_thread(self._restore, folder)

    def _missing(self, keys: Collection[BlobKey], folder: Path) -> list[BlobKey]:
        return [key for key in keys if not copied(_place(self._folder, key), _place(folder, key))]

    def _restore(self, folder: Path) -> None:
        self._ensure_folders()
        for source in (path for path in (folder / _KEPT).rglob("*") if path.is_file()):
            key = BlobKey(instance=InstanceId(source.parent.parent.name), blob=BlobId(source.name))
            upload = Upload(self._folder / _STAGING / secrets.token_hex(_ID_BYTES))
            try:
                upload.copy(source)
                upload.publish(_place(self._folder, key))
            finally:
                upload.abandon()

    def _ensure_folders(self) -> None:
        for folder in (self._folder, self._folder / _STAGING, self._folder / _KEPT):
            ensure_private_folder(folder)

    def _sweep(self) -> None:
        for name in _entries(self._folder / _STAGING):
            (self._folder / _STAGING / name).unlink()

    def _path(self, key: BlobKey) -> Path:
        if self._tasks is None:
            raise EngineUnavailable("the object store is not open: the server is starting or stopping")
        return _place(self._folder, key)

    def _finish_later(self, function: Callable[[], None]) -> None:
        # Not awaited: whoever was cancelled can't wait for a thread that may still be at work on the file.
        try:
            if self._tasks is not None:
                self._tasks.spawn(_quietly(function), name="finish an object's file")
                return
        except ShuttingDown:
            pass
        _log.debug("a file of an object is left to the next start")


def create(settings: FilesystemObjectStoreSettings) -> FilesystemObjectStore:
    """Make the engine for the folder that the settings name."""
    return FilesystemObjectStore(settings)


async def _on_disk(function: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(function)
    except OSError as error:
        raise EngineUnavailable(
            f"the object store can't be used now: {error.strerror}", engine=FilesystemObjectStore.name
        ) from error


async def _quietly(function: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(function)
    except OSError as error:
        _log.warning("a file of an object is left to the next start", error=str(error))


def _place(folder: Path, key: BlobKey) -> Path:
    blob = _checked(key.blob)
    return folder / _KEPT / _checked(key.instance) / blob[:_FOLDER_LETTERS] / blob


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []


def _checked(name: str) -> str:
    """Give a name that is no way out of the folder."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name[:64]!r} is no id that an object can be kept under")
    return name
