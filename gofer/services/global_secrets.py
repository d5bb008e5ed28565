"""Global secrets: put, given, listed and forgotten by the management, used by pipelines of the namespaces it names."""

from collections.abc import Sequence

from gofer.core.access import Caller, parse_patterns
from gofer.core.errors import AlreadyExists, InvalidInput, LimitReached
from gofer.core.ids import BlobId
from gofer.core.secret_record import MAX_GLOBAL_SECRETS, SecretRecord, warning_of_value
from gofer.services.blobs import SealedBlobs
from gofer.services.secrets import PutResult, PutSecret, SecretView, check_key, check_put, put_value, view_of
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer_sdk.rules.text import quoted


class GlobalSecrets:
    """The use cases of global secrets. Every method raises `PermissionDenied` for whoever is no admin."""

    def __init__(self, *, database: Database[Unit], blobs: SealedBlobs) -> None:
        self._database = database
        self._blobs = blobs

    async def put(self, caller: Caller, command: PutSecret, namespaces: Sequence[str]) -> PutResult:
        """Keep a secret for the namespaces that any of the patterns matches; they need not exist yet.

        Raises `InvalidInput` (also without a namespace: nobody could use it), `LimitReached`, and `AlreadyExists`
        without `force`.
        """
        caller.require_admin()
        patterns = parse_patterns(namespaces)
        if not patterns:
            raise InvalidInput("no namespace may use the secret: give ids, globs such as team_*, or * for all")
        size_bytes = check_put(command)
        await self._database.read(lambda unit: _check(unit, command))

        def write(unit: Unit, blob: BlobId) -> BlobId | None:
            there = _check(unit, command)
            record = SecretRecord(key=command.key, blob=blob, created_at=unit.now, namespaces=patterns)
            unit.secrets.put_global(record)
            return None if there is None else there.blob

        await put_value(self._database, self._blobs, command.value, write)
        return PutResult(size_bytes=size_bytes, warning=warning_of_value(command.value))

    async def get(self, caller: Caller, key: str, *, with_value: bool) -> SecretView:
        """Give a secret, with its value where that is asked for. Raises `NotFound`."""
        caller.require_admin()
        check_key(key)

        async def find() -> SecretRecord:
            return await self._database.read(lambda unit: unit.secrets.get_global(key))

        return await view_of(find, self._blobs, with_value=with_value)

    async def list(self, caller: Caller) -> tuple[SecretRecord, ...]:
        """Give all global secrets by key, without their values."""
        caller.require_admin()
        return await self._database.read(lambda unit: unit.secrets.list_global())

    async def delete(self, caller: Caller, key: str) -> None:
        """Forget a secret; tasks that have begun with it keep what they got. Raises `NotFound`."""
        caller.require_admin()
        check_key(key)

        def write(unit: Unit) -> BlobId:
            found = unit.secrets.get_global(key)
            unit.secrets.delete_global(key)
            return found.blob

        await self._blobs.delete(await self._database.write(write))


def _check(unit: Unit, command: PutSecret) -> SecretRecord | None:
    there = unit.secrets.find_global(command.key)
    if there is not None and not command.force:
        raise AlreadyExists(
            f"there is a global secret {quoted(command.key)} already; replace it with --force, or choose another key",
            key=command.key,
        )
    if there is None and unit.secrets.count_global() >= MAX_GLOBAL_SECRETS:
        raise LimitReached(f"there are {MAX_GLOBAL_SECRETS:,} global secrets, the most there can be: delete some first")
    return there
