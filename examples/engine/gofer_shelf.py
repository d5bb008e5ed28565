import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gofer.core.errors import EngineUnavailable, InvalidInput, NotFound
from gofer.core.ids import BlobId, BlobKey, InstanceId

T = TypeVar("T")


class Shelf:
    """Keeps each value in a file of its own, in a folder for each server."""

    name = "shelf"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unfinished = folder / "unfinished"

    async def __aenter__(self) -> Self:
        await _aside(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # nothing is held open

    async def put(self, key: BlobKey, sealed: bytes) -> None:
        await _aside(lambda: self._write(self._place(key), sealed))

    async def get(self, key: BlobKey) -> bytes:
        try:
            return await _aside(self._place(key).read_bytes)
        except FileNotFoundError:
            raise NotFound(f"the shelf has no value {key.blob}", blob=key.blob) from None

    async def delete(self, key: BlobKey) -> None:
        await _aside(lambda: self._place(key).unlink(missing_ok=True))

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        place = self._folder / instance
        for path in await _aside(lambda: list(place.iterdir()) if place.is_dir() else []):
            yield BlobKey(instance=instance, blob=BlobId(path.name))

    async def back_up(self, keys: Collection[BlobKey], folder: Path) -> list[BlobKey]:
        return await _aside(lambda: [key for key in keys if not self._copy(key, folder)])

    async def restore(self, folder: Path) -> None:
        await _aside(lambda: self._take(folder))

    def _place(self, key: BlobKey) -> Path:
        return self._folder / key.instance / key.blob

    def _open(self) -> None:
        self._unfinished.mkdir(parents=True, exist_ok=True)
        for path in self._unfinished.iterdir():  # of a server that was killed
            path.unlink()

    def _copy(self, key: BlobKey, folder: Path) -> bool:
        try:
            sealed = self._place(key).read_bytes()
        except FileNotFoundError:
            return False
        place = folder / key.instance / key.blob
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(sealed)
        return True

    def _take(self, folder: Path) -> None:
        self._unfinished.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*/*"):
            self._write(self._folder / path.parent.name / path.name, path.read_bytes())

    def _write(self, place: Path, sealed: bytes) -> None:
        # A reader sees the old value or the new one; both the file and its name are on the disk before this returns.
        unfinished = self._unfinished / uuid.uuid4().hex
        with unfinished.open("xb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            _sync(self._folder)
        unfinished.replace(place)
        _sync(place.parent)


def create(settings: Mapping[str, object]) -> Shelf:
    """Make the engine from its block of the configuration; nothing is opened yet."""
    unknown = settings.keys() - {"folder"}
    if unknown:
        raise InvalidInput(f"secret_store.shelf: {', '.join(sorted(unknown))} is not known; known here: folder")
    folder = settings.get("folder")
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise InvalidInput('secret_store.shelf.folder must name a folder by its whole path: folder = "/srv/shelf"')
    return Shelf(Path(folder))


async def _aside(work: Callable[[], T]) -> T:
    """Do what blocks in a thread; a disk that fails is a store that can't be reached."""
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EngineUnavailable(f"the shelf can't be used: {error}") from error


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
