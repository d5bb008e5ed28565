"""Stores that are backed up by their engines' own means, into a folder of the backup that is theirs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from gofer.backups.manifest import OBJECT_FILES, SECRET_FILES
from gofer.config.settings import Settings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError
from gofer.core.ids import BlobId, BlobKey, InstanceId
from gofer.engines.backing_up import BackedUpStore, Store, backing_up
from gofer.engines.chosen import chosen_object_store, chosen_secret_store
from gofer.engines.in_words import InWords
from gofer.engines.registry import EngineRegistry

T = TypeVar("T")

_HELD_STILL: Final = "sqlite"  # whose files this package copies itself, as they are in the moment of the main database
_KEEPS_NOTHING: Final = "memory"
_PASSES: Final = (GoferError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMeans:
    """A store, and the part of a backup that its engine makes. Everything here blocks."""

    part: str
    what: str
    store: BackedUpStore

    def back_up(self, instance: str, blobs: Collection[BlobId], folder: Path) -> frozenset[BlobId]:
        """Put blobs of a server into the folder of the part, and give those that are not there."""
        keys = tuple(BlobKey(instance=InstanceId(instance), blob=blob) for blob in sorted(blobs))
        return frozenset(key.blob for key in self._run(lambda: self.store.back_up(keys, folder), "be backed up"))

    def restore(self, folder: Path) -> None:
        """Put what is in the folder of the part into the store."""
        self._run(lambda: self.store.restore(folder), "be restored")

    def _run(self, work: Callable[[], Awaitable[T]], words: str) -> T:
        async def run() -> T:
            return await work()

        with InWords(lambda: f"{self.what} can't {words}", EngineUnavailable, _PASSES):
            return asyncio.run(run())


def own_means(settings: Settings, registry: EngineRegistry) -> tuple[OwnMeans, ...]:
    """Give the stores that are backed up so. `FailedPrecondition` where one of another package has no means to be."""
    found: list[OwnMeans] = []
    objects, secrets = settings.object_store.engine, settings.secret_store.engine
    if objects not in {_HELD_STILL, _KEEPS_NOTHING}:
        what = f"the object store engine {objects}"
        found.append(_own_means(OBJECT_FILES, what, chosen_object_store(settings, registry), settings))
    if secrets not in {_HELD_STILL, _KEEPS_NOTHING}:
        what = f"the secret store engine {secrets}"
        found.append(_own_means(SECRET_FILES, what, chosen_secret_store(settings, registry), settings))
    return tuple(found)


def _own_means(part: str, what: str, store: Store, settings: Settings) -> OwnMeans:
    able = backing_up(store)
    if able is None:
        # Its put, get and list_keys would not do: entering it may sweep what the running server is in the middle of.
        folders = f"{settings.data_folder} and {settings.task_run_logs_dir}"
        raise FailedPrecondition(
            f"{what} keeps its data elsewhere, and has no way to hand it to a backup: stop the server, and copy "
            f"{folders} together with what that engine keeps, by its own means"
        )
    return OwnMeans(part=part, what=what, store=able)
