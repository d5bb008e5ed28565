"""What may not be read in the logs of live task runs, kept sealed for whoever goes on with one after a restart.

A secret may have been replaced or deleted since the task got it. What the task got is kept until its end, so that the
rest of its log is masked as its beginning was.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Final

from gofer.core.ids import AttemptId, BlobId, InstanceId
from gofer.core.secret import Secret
from gofer.services.blobs import SealedBlobs
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_PREFIX: Final = "mask-"
_DIGITS: Final = 32


class AttemptMasks:
    """The values of attempts. Every method raises `EngineUnavailable` where the secret store can't be reached."""

    def __init__(self, *, blobs: SealedBlobs) -> None:
        self._blobs = blobs

    async def keep(self, attempt: AttemptId, secrets: Iterable[Secret]) -> None:
        """Keep what the attempt is about to get, in the place of what was kept for it."""
        values = json.dumps([secret.reveal() for secret in secrets])
        await self._blobs.put_under(mask_id(str(attempt)), Secret(values))

    async def kept(self, attempt: AttemptId) -> tuple[Secret, ...]:
        """Give what was kept. Raises `NotFound`, and `FailedPrecondition` where no key of this server opens it."""
        values = await self._blobs.get(mask_id(str(attempt)))
        return tuple(Secret(value) for value in json.loads(values.reveal()))

    async def forget(self, attempt: AttemptId) -> None:
        """Forget what was kept; nothing more of the attempt's log is to come."""
        await self._blobs.delete(mask_id(str(attempt)))


class NeededBlobs:
    """Tells which values of the secret store anything still names: a secret, or a live attempt."""

    def __init__(self, *, database: Database[Unit], instance: InstanceId) -> None:
        self._database = database
        self._instance = instance

    async def __call__(self, blobs: frozenset[BlobId]) -> frozenset[BlobId]:
        """Give those of the values that are needed."""

        def read(unit: Unit) -> frozenset[BlobId]:
            live = (
                AttemptId(key=key, number=number, instance=self._instance) for key, number in unit.runs.live_attempts()
            )
            masks = blobs.intersection(mask_id(str(attempt)) for attempt in live)
            return masks | unit.secrets.named_among(blobs - masks)

        return await self._database.read(read)


def mask_id(attempt: str) -> BlobId:
    """Name what is kept for an attempt, which is given as its text."""
    return BlobId(_PREFIX + hashlib.sha256(attempt.encode()).hexdigest()[:_DIGITS])
