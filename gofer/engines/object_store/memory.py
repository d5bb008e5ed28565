"""Keeps objects in this process: for tests and examples, where nothing needs to outlive the server."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Self

from gofer.core.errors import NotFound
from gofer.core.ids import BlobKey, InstanceId
from gofer.engines.object_store.pieces import in_pieces


class MemoryObjectStore:
    """An `ObjectStoreEngine` that forgets everything with this object."""

    name = "memory"

    def __init__(self) -> None:
        self._blobs: dict[BlobKey, tuple[bytes, ...]] = {}

    async def __aenter__(self) -> Self:
        """Open nothing."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what is there, for whoever enters it again."""

    async def put(self, key: BlobKey, content: AsyncIterable[bytes]) -> int:
        """Keep the bytes once all of them are there."""
        pieces = tuple([piece async for piece in in_pieces(content)])
        self._blobs[key] = pieces
        return sum(map(len, pieces))

    async def get(self, key: BlobKey) -> AsyncGenerator[bytes, None]:
        """Give the bytes that are there at the beginning."""
        try:
            pieces = self._blobs[key]
        except KeyError:
            raise NotFound(f"the object store has no content {key.blob}", blob=key.blob) from None
        for piece in pieces:
            yield piece

    async def delete(self, key: BlobKey) -> None:
        """Forget the bytes."""
        self._blobs.pop(key, None)

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Give the keys that are there at the beginning."""
        for key in [key for key in self._blobs if key.instance == instance]:
            yield key


def create(settings: object) -> MemoryObjectStore:
    """Make an empty store; it has no settings."""
    del settings
    return MemoryObjectStore()
