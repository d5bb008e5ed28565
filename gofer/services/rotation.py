"""Bringing all that is sealed under the current key: the values of the secret store, and passwords of registries.

It may be interrupted at any point and begun again: what is under the current key already is left as it is. Other work
goes on meanwhile; each write is a short one.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import structlog

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, GoferError, NotFound
from gofer.core.ids import BlobId, PipelineKey, Version
from gofer.sealing import Sealer
from gofer.services.blobs import SealedBlobs
from gofer.sqlite import Database
from gofer.storage.resealing import resealed_tasks
from gofer.storage.unit import Unit

_log = structlog.get_logger(__name__)

BATCH: Final = 50

Needed = Callable[[frozenset[BlobId]], Awaitable[AbstractSet[BlobId]]]
"""Tells which of some values anything still names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationProgress:
    """How far it is: things looked at, of how many; how many were under another key; how many no key opens."""

    done: int = 0
    total: int = 0
    resealed: int = 0
    unreadable: int = 0


class KeyRotation:
    """The use case of a new encryption key; one at a time."""

    def __init__(self, *, database: Database[Unit], blobs: SealedBlobs, sealer: Sealer, needed: Needed) -> None:
        self._database = database
        self._blobs = blobs
        self._sealer = sealer
        self._needed = needed
        self._running = False

    async def run(self, caller: Caller) -> AsyncGenerator[RotationProgress, None]:
        """Seal everything with the current key, and tell after each batch how far that is; the last one tells the end.

        Raises `PermissionDenied` for whoever is no admin, and `FailedPrecondition` while another one goes on.
        """
        caller.require_admin()
        async with self._alone():
            blobs = await self._blobs.all()
            configs = await self._database.read(lambda unit: unit.sealed_configs.list())
            progress = RotationProgress(total=len(blobs) + len(configs))
            yield progress
            for begin in range(0, len(blobs), BATCH):
                progress = await self._reseal_blobs(blobs[begin : begin + BATCH], progress)
                yield progress
            for begin in range(0, len(configs), BATCH):
                for key, version in configs[begin : begin + BATCH]:
                    progress = await self._reseal_config(key, version, progress)
                yield progress
        _log.info("everything is sealed with the current key", resealed=progress.resealed, left=progress.unreadable)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        if self._running:
            raise FailedPrecondition("the key is being rotated already: wait for its end")
        self._running = True
        try:
            yield
        finally:
            self._running = False

    async def _reseal_blobs(self, batch: tuple[BlobId, ...], progress: RotationProgress) -> RotationProgress:
        resealed: set[BlobId] = set()
        unreadable = 0
        for blob in batch:
            try:
                if await self._blobs.reseal(blob):
                    resealed.add(blob)
            except NotFound:
                continue  # deleted meanwhile
            except FailedPrecondition as error:
                _log.warning("a sealed value can't be opened", blob=blob, error=error.message)
                unreadable += 1
        # What was deleted while it was sealed again must not come back.
        await self._blobs.delete(*(resealed - await self._needed(frozenset(resealed))))
        return replace(
            progress,
            done=progress.done + len(batch),
            resealed=progress.resealed + len(resealed),
            unreadable=progress.unreadable + unreadable,
        )

    async def _reseal_config(self, key: PipelineKey, version: Version, progress: RotationProgress) -> RotationProgress:
        progress = replace(progress, done=progress.done + 1)
        try:
            stored = await self._database.read(lambda unit: unit.sealed_configs.get(key, version))
            changed = await asyncio.to_thread(resealed_tasks, stored, self._resealed)
        except NotFound:
            return progress  # deleted meanwhile
        except GoferError as error:
            _log.warning("a password can't be opened", pipeline=str(key), version=version, error=error.message)
            return replace(progress, unreadable=progress.unreadable + 1)
        if changed == stored:
            return progress
        await self._database.write(lambda unit: unit.sealed_configs.replace(key, version, old=stored, new=changed))
        return replace(progress, resealed=progress.resealed + 1)

    def _resealed(self, sealed: bytes) -> bytes:
        return sealed if self._sealer.is_current(sealed) else self._sealer.seal(self._sealer.open(sealed))
