"""Whether the settings of a server have the key that the secrets of a backup were encrypted with."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gofer.backups.manifest import DATABASE, SECRET_FILES, SECRETS, Manifest
from gofer.clock import SystemClock
from gofer.config.check import KEY_BYTES
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings
from gofer.core.errors import EngineUnavailable, FailedPrecondition
from gofer.core.ids import BlobKey, InstanceId
from gofer.engines.chosen import chosen_secret_store
from gofer.engines.in_words import InWords
from gofer.engines.protocols import SecretStoreEngine
from gofer.engines.registry import EngineRegistry
from gofer.sealing import KEY_FILE, Sealer, SealingKey, open_sealer
from gofer.sqlite import open_snapshot
from gofer.storage.unit import Unit

_TRIED: Final = 1000
_SEALED: Final = "SELECT sealed FROM secret_blobs LIMIT ?"


def check_key(settings: Settings, source: Path, manifest: Manifest) -> None:
    """Raise `FailedPrecondition` unless the settings' keys open the secrets of the backup."""
    if SECRETS not in manifest.files:
        return
    with open_snapshot(source / SECRETS) as snapshot:
        sealed = snapshot.read(lambda connection: [row["sealed"] for row in connection.execute(_SEALED, (_TRIED,))])
    _check_opens(settings, source, manifest, sealed)


def check_restored_key(settings: Settings, source: Path, manifest: Manifest, registry: EngineRegistry) -> None:
    """Do as `check_key` where only the engine can read what it has restored; also where that is not all of it."""
    if not any(name.startswith(f"{SECRET_FILES}/") for name in manifest.files):
        return
    with open_snapshot(source / DATABASE) as snapshot:
        named = snapshot.read(lambda connection: Unit(connection, SystemClock().now()).secrets.all_named())
    keys = [BlobKey(instance=InstanceId(manifest.instance), blob=blob) for blob in sorted(named)]
    name = settings.secret_store.engine
    with InWords(lambda: f"the secret store engine {name} can't be opened after the restore", EngineUnavailable):
        sealed = asyncio.run(_read(chosen_secret_store(settings, registry), keys[:_TRIED]))
    _check_opens(settings, source, manifest, sealed)


async def _read(store: SecretStoreEngine, keys: Iterable[BlobKey]) -> list[bytes]:
    async with store:
        return [await store.get(key) for key in keys]


def _check_opens(settings: Settings, source: Path, manifest: Manifest, sealed: Sequence[bytes]) -> None:
    sealer = _sealer(settings, source, manifest) if sealed else None
    for each in sealed:
        if sealer is None or not _opens(sealer, each):
            raise FailedPrecondition(
                "the secrets of this backup were encrypted with another key: give the key that the server had in "
                "secret_store.sqlite.encryption_key, or in secret_store.sqlite.previous_encryption_keys; "
                "it is not in the backup"
            )


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.open(sealed)
    except FailedPrecondition:
        return False
    return True


def _sealer(settings: Settings, source: Path, manifest: Manifest) -> Sealer | None:
    key = settings.secret_store.sqlite.encryption_key
    if key != SAMPLE_ENCRYPTION_KEY:
        return open_sealer(settings) if len(key.encode()) == KEY_BYTES else None
    if KEY_FILE not in manifest.files or not settings.development.default_encryption:
        return None
    own = (source / KEY_FILE).read_bytes()
    return Sealer(SealingKey(own)) if len(own) == KEY_BYTES else None
