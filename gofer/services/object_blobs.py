"""Content in the object store."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from gofer.core.ids import BlobId, InstanceId
from gofer.engines.protocols import ObjectStoreEngine
from gofer.services.stored_blobs import Needed, StoredBlobs
from gofer.sqlite import Database
from gofer.storage.unit import Unit

Take: TypeAlias = Callable[[Sequence[BlobId]], bool]
"""Take content that nothing names any more, to delete it later; tell whether it was taken. Never blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptContent:
    """Where content was put, and how large it was."""

    blob: BlobId
    size_bytes: int


class ObjectBlobs(StoredBlobs):
    """The content of one server's objects. Every method raises `EngineUnavailable` where the store can't be reached."""

    def __init__(self, *, engine: ObjectStoreEngine, instance: InstanceId) -> None:
        super().__init__(store=engine, store_name="object store", instance=instance)
        self._engine = engine
        self._take: Take | None = None

    @contextmanager
    def replaced_go_to(self, take: Take) -> Iterator[None]:
        """Offer what was replaced to `take` for the length of the block, so that who replaces it need not wait."""
        self._take = take
        try:
            yield
        finally:
            self._take = None

    async def put(self, content: AsyncIterable[bytes]) -> KeptContent:
        """Keep content under a new id, whole or not at all. What `content` raises is raised here."""
        blob = self._new_id()
        size_bytes = await self._engine.put(self._key(blob), content)
        return KeptContent(blob=blob, size_bytes=size_bytes)

    def get(self, blob: BlobId) -> AsyncGenerator[bytes, None]:
        """Give content in pieces. Raises `NotFound`, also in the middle where it is deleted meanwhile; close it."""
        return self._engine.get(self._key(blob))

    async def _let_go(self, gone: Sequence[BlobId]) -> None:
        if self._take is None or not self._take(gone):
            await self.delete(*gone)


def needed_content(database: Database[Unit]) -> Needed:
    """Give what tells the content that records name."""

    async def needed(found: frozenset[BlobId]) -> frozenset[BlobId]:
        return frozenset(await database.read(lambda unit: unit.objects.named_among(found)))

    return needed
