"""Keeps sealed secrets in this process: for tests and examples, where nothing needs to outlive the server."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from gofer.core.errors import NotFound
from gofer.core.ids import BlobKey, InstanceId


class MemorySecretStore:
    """A `SecretStoreEngine` that forgets everything with this object."""

    name = "memory"

    def __init__(self) -> None:
        self._blobs: dict[BlobKey, bytes] = {}

    async def __aenter__(self) -> Self:
        """Open nothing."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what is there, for whoever enters it again."""

    async def put(self, key: BlobKey, sealed: bytes) -> None:
        """Keep the bytes."""
        self._blobs[key] = sealed

    async def get(self, key: BlobKey) -> bytes:
        """Give the bytes."""
        try:
            return self._blobs[key]
        except KeyError:
            raise NotFound(f"the secret store has no value {key.blob}", blob=key.blob) from None

    async def delete(self, key: BlobKey) -> None:
        """Forget the bytes."""
        self._blobs.pop(key, None)

    async def list_keys(self, instance: InstanceId) -> AsyncIterator[BlobKey]:
        """Give the keys that are there at the beginning."""
        for key in [key for key in self._blobs if key.instance == instance]:
            yield key


def create(settings: object) -> MemorySecretStore:
    """Make an empty store; it has no settings."""
    del settings
    return MemorySecretStore()
