"""Objects of pipelines and of runs: put, give, list and forget them."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass

from gofer.core.access import Caller
from gofer.core.errors import InvalidInput, LimitReached, NotFound, Unavailable
from gofer.core.ids import BlobId, RunId
from gofer.core.object_record import ObjectOwner, ObjectRecord
from gofer.core.store_key import fault_of_store_key
from gofer.services.object_blobs import KeptContent, ObjectBlobs
from gofer.services.object_rules import (
    ObjectLimits,
    ObjectTarget,
    check_may_put,
    check_not_expired,
    evict,
    existing_owner,
    is_expired,
    too_large,
)
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PutObject:
    """Where a caller wants content kept; `force` replaces an object that is there already."""

    key: str
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What was stored, for which run if for any, and the keys of those that went for it, oldest first."""

    size_bytes: int
    run: RunId | None
    evicted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """An object, and the run that it belongs to if it does to any."""

    record: ObjectRecord
    run: RunId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """The objects of an owner, oldest first."""

    records: tuple[ObjectRecord, ...]
    run: RunId | None


class Objects:
    """The use cases of objects. Every method raises `NotFound` for a pipeline, run or object that does not exist.

    The objects of a run are gone when as many newer runs are there as the settings say, if it has ended.
    """

    def __init__(self, *, database: Database[Unit], blobs: ObjectBlobs, limits: ObjectLimits) -> None:
        self._database = database
        self._blobs = blobs
        self.limits = limits

    async def put(
        self, caller: Caller, target: ObjectTarget, command: PutObject, content: AsyncIterable[bytes]
    ) -> StoredObject:
        """Keep an object; a pipeline that has as many as it may keep loses its oldest for a new one.

        Raises `InvalidInput` for the key, `LimitReached` for the size, `AlreadyExists` without `force`, and
        `FailedPrecondition` where the objects of the run are gone.
        """
        _check_key(command.key)

        # Asked before anything is read or stored, and again when it is: meanwhile all of this may have changed.
        def check(unit: Unit) -> ObjectOwner:
            owner = existing_owner(unit, caller, target)
            check_may_put(unit, owner, command.key, force=command.force, limits=self.limits)
            return owner

        owner = await self._database.read(check)
        kept = await self._blobs.put(self._within_limit(command.key, content))
        return await self._blobs.commit_put(
            self._database, kept.blob, lambda unit: self._store(unit, owner, command, kept)
        )

    async def find(self, caller: Caller, target: ObjectTarget, key: str) -> FoundObject:
        """Give what is known of an object."""
        _check_key(key)

        def read(unit: Unit) -> FoundObject:
            owner = existing_owner(unit, caller, target)
            check_not_expired(unit, owner, self.limits)
            return FoundObject(record=unit.objects.get(owner, key), run=owner.run)

        return await self._database.read(read)

    async def open(
        self, caller: Caller, target: ObjectTarget, key: str
    ) -> tuple[FoundObject, AsyncGenerator[bytes, None]]:
        """Give an object and its content, in pieces of at most 1 MiB; close the generator.

        The generator raises `Unavailable` where the object is replaced or deleted while it is read.
        """
        last: BlobId | None = None
        for _ in range(_TRIES):
            found = await self.find(caller, target, key)
            if found.record.blob == last:
                break
            last = found.record.blob
            content = self._blobs.get(last)
            try:
                first = await anext(content, b"")
            except NotFound:  # replaced or deleted since it was found
                continue
            return found, _going_on(first, content)
        raise NotFound("the object's content is not in the object store any more: put it again", key=key)

    async def read(
        self, caller: Caller, target: ObjectTarget, key: str, *, most_bytes: int
    ) -> tuple[FoundObject, bytes]:
        """Give an object with its whole content. Raises `LimitReached` where that has more than `most_bytes`."""
        found, content = await self.open(caller, target, key)
        async with aclosing(content) as pieces:
            if found.record.size_bytes > most_bytes:
                raise LimitReached(
                    f"the object has {found.record.size_bytes:,} bytes, and at most {most_bytes:,} are given at once: "
                    "read it as a stream, as `object get` of the command line does",
                    key=found.record.key,
                )
            return found, b"".join([piece async for piece in pieces])

    async def list(self, caller: Caller, target: ObjectTarget) -> ObjectList:
        """Give all objects of a pipeline or a run, oldest first."""

        def read(unit: Unit) -> ObjectList:
            owner = existing_owner(unit, caller, target)
            records = () if is_expired(unit, owner, self.limits) else unit.objects.list(owner)
            return ObjectList(records=records, run=owner.run)

        return await self._database.read(read)

    async def delete(self, caller: Caller, target: ObjectTarget, key: str) -> None:
        """Forget an object."""
        _check_key(key)

        def write(unit: Unit) -> BlobId:
            owner = existing_owner(unit, caller, target)
            found = unit.objects.get(owner, key)
            unit.objects.delete(owner, key)
            return found.blob

        await self._blobs.delete(await self._database.write(write))

    def _store(
        self, unit: Unit, owner: ObjectOwner, command: PutObject, kept: KeptContent
    ) -> tuple[StoredObject, tuple[BlobId, ...]]:
        """Store the record of what was kept; name what went for it, and the content to delete after the commit."""
        there = check_may_put(unit, owner, command.key, force=command.force, limits=self.limits)
        evicted: tuple[ObjectRecord, ...] = ()
        if there is None and owner.run is None:
            over = max(0, unit.objects.count(owner) + 1 - self.limits.pipeline_objects)
            evicted = evict(unit, owner, unit.objects.oldest(owner, over))
        unit.objects.put(
            owner,
            ObjectRecord(key=command.key, blob=kept.blob, size_bytes=kept.size_bytes, created_at=unit.now),
        )
        gone = evicted if there is None else (there,)
        keys = tuple(each.key for each in evicted)
        stored = StoredObject(size_bytes=kept.size_bytes, run=owner.run, evicted=keys)
        return stored, tuple(each.blob for each in gone)

    async def _within_limit(self, key: str, content: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        size_bytes = 0
        async for piece in content:
            size_bytes += len(piece)
            if size_bytes > self.limits.size_bytes:
                raise too_large(key, self.limits)
            yield piece


async def _going_on(first: bytes, content: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(content) as rest:
        if first:
            yield first
        try:
            async for piece in rest:
                yield piece
        except NotFound as error:
            raise Unavailable("the object was replaced or deleted while it was read: read it again") from error


def _check_key(key: str) -> None:
    fault = fault_of_store_key(key, what="object")
    if fault:
        raise InvalidInput(fault)
