"""Secrets of pipelines: put, give, list and forget them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gofer.core.access import Caller
from gofer.core.errors import AlreadyExists, InvalidInput, LimitReached
from gofer.core.ids import BlobId, PipelineKey
from gofer.core.secret import Secret
from gofer.core.secret_record import (
    MAX_PIPELINE_SECRETS,
    MAX_VALUE_BYTES,
    SecretRecord,
    fault_of_key,
    warning_of_value,
)
from gofer.services.blobs import SealedBlobs, read_current
from gofer.services.runs import Target, pipeline_key
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer_sdk.rules.text import fault_of_text, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSecret:
    """What a caller wants kept; `force` replaces a secret that is there already."""

    key: str
    value: Secret
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """How much was stored, and what should be known of it: a sentence, empty if nothing."""

    size_bytes: int
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView:
    """A secret as it is shown: with its value only where that was asked for."""

    record: SecretRecord
    value: Secret | None = field(default=None, repr=False)


class PipelineSecrets:
    """The use cases of the secrets of pipelines. Every method raises `NotFound` for what does not exist."""

    def __init__(self, *, database: Database[Unit], blobs: SealedBlobs) -> None:
        self._database = database
        self._blobs = blobs

    async def put(self, caller: Caller, target: Target, command: PutSecret) -> PutResult:
        """Keep a secret. Raises `InvalidInput`, `LimitReached`, and `AlreadyExists` without `force`."""
        size_bytes = check_put(command)
        # Asked before anything is stored, and again when it is: much of a refused call would be for nothing else.
        await self._database.read(lambda unit: _check_pipeline(unit, caller, target, command))

        def write(unit: Unit, blob: BlobId) -> BlobId | None:
            key, there = _check_pipeline(unit, caller, target, command)
            unit.secrets.put(key, SecretRecord(key=command.key, blob=blob, created_at=unit.now))
            return None if there is None else there.blob

        await put_value(self._database, self._blobs, command.value, write)
        return PutResult(size_bytes=size_bytes, warning=warning_of_value(command.value))

    async def get(self, caller: Caller, target: Target, key: str, *, with_value: bool) -> SecretView:
        """Give a secret, with its value where that is asked for."""
        check_key(key)

        async def find() -> SecretRecord:
            return await self._database.read(lambda unit: _secret(unit, caller, target, key))

        return await view_of(find, self._blobs, with_value=with_value)

    async def list(self, caller: Caller, target: Target) -> tuple[SecretRecord, ...]:
        """Give all secrets of a pipeline by key, without their values."""

        def read(unit: Unit) -> tuple[SecretRecord, ...]:
            key = pipeline_key(unit, caller, target)
            unit.pipelines.get(key)
            return unit.secrets.list(key)

        return await self._database.read(read)

    async def delete(self, caller: Caller, target: Target, key: str) -> None:
        """Forget a secret; runs that have begun a task with it keep what that task got."""
        check_key(key)

        def write(unit: Unit) -> BlobId:
            found = _secret(unit, caller, target, key)
            unit.secrets.delete(pipeline_key(unit, caller, target), key)
            return found.blob

        await self._blobs.delete(await self._database.write(write))


def check_key(key: str) -> None:
    """Raise `InvalidInput` for a key that no secret can have."""
    fault = fault_of_key(key)
    if fault:
        raise InvalidInput(fault)


def check_put(command: PutSecret) -> int:
    """Give the size of the value in bytes. Raises `InvalidInput` for key or value, and `LimitReached` for its size."""
    faults = tuple(
        fault
        for fault in (
            fault_of_key(command.key),
            # Its size is another matter; the text of a fault holds one character of the value at most, a broken one.
            fault_of_text(command.value.reveal(), what="the value", max_bytes=2**63),
        )
        if fault
    )
    if faults:
        raise InvalidInput("; ".join(faults), faults=faults)
    size_bytes = len(command.value.reveal().encode())
    if size_bytes > MAX_VALUE_BYTES:
        raise LimitReached(
            f"the value of the secret {quoted(command.key)} has {size_bytes:,} bytes and at most {MAX_VALUE_BYTES:,} "
            "are allowed: keep large things as objects",
            key=command.key,
        )
    return size_bytes


async def put_value(
    database: Database[Unit],
    blobs: SealedBlobs,
    value: Secret,
    write: Callable[[Unit, BlobId], BlobId | None],
) -> None:
    """Keep a value under a new id, commit the record that names it, and delete the value that it named before.

    `write` stores the record and gives the id of the old value, if there is one.
    """
    blob = await blobs.put(value)

    def record(unit: Unit) -> tuple[None, tuple[BlobId, ...]]:
        old = write(unit, blob)
        return None, () if old is None else (old,)

    await blobs.commit_put(database, blob, record)


async def view_of(find: Callable[[], Awaitable[SecretRecord]], blobs: SealedBlobs, *, with_value: bool) -> SecretView:
    """Give the secret that `find` reads, with its value where that is asked for."""
    record = await find()
    if not with_value:
        return SecretView(record=record)

    async def blob() -> BlobId:
        nonlocal record
        record = await find()
        return record.blob

    value = await read_current(blob, blobs)
    return SecretView(record=record, value=value)


def _check_pipeline(
    unit: Unit, caller: Caller, target: Target, command: PutSecret
) -> tuple[PipelineKey, SecretRecord | None]:
    key = pipeline_key(unit, caller, target)
    unit.pipelines.get_kept(key)
    there = unit.secrets.find(key, command.key)
    if there is not None and not command.force:
        raise AlreadyExists(
            f"pipeline {key} has a secret {quoted(command.key)} already; "
            "replace it with --force, or choose another key",
            namespace=key.namespace,
            pipeline=key.pipeline,
            key=command.key,
        )
    if there is None and unit.secrets.count(key) >= MAX_PIPELINE_SECRETS:
        raise LimitReached(
            f"pipeline {key} has {MAX_PIPELINE_SECRETS:,} secrets, the most that one can have: delete some first",
            namespace=key.namespace,
            pipeline=key.pipeline,
        )
    return key, there


def _secret(unit: Unit, caller: Caller, target: Target, key: str) -> SecretRecord:
    pipeline = pipeline_key(unit, caller, target)
    unit.pipelines.get(pipeline)
    return unit.secrets.get(pipeline, key)
