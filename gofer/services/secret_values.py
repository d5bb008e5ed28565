"""What references to secrets stand for in a run: no caller asks, but a task that is being launched."""

from gofer.core.errors import NotFound
from gofer.core.ids import BlobId, RunKey
from gofer.core.secret import Secret
from gofer.services.blobs import SealedBlobs, read_current
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer_sdk.rules.text import quoted


class SecretValues:
    """Gives secrets to runs: those of their own pipeline, and the global ones that their namespace may use.

    Every method raises `NotFound` in words that name the key, never a value, and `Unavailable` where the database or
    the secret store can't be reached.
    """

    def __init__(self, *, database: Database[Unit], blobs: SealedBlobs) -> None:
        self._database = database
        self._blobs = blobs

    async def of_pipeline(self, run: RunKey, key: str) -> Secret:
        """Give a secret of the run's own pipeline."""

        async def find() -> BlobId:
            record = await self._database.read(lambda unit: unit.secrets.find(run.of_pipeline, key))
            if record is None:
                raise NotFound(
                    f"the pipeline has no such secret; put it with `gofer secret pipeline put {run.pipeline} KEY`",
                    namespace=run.namespace,
                    pipeline=run.pipeline,
                    key=key,
                )
            return record.blob

        return await read_current(find, self._blobs)

    async def of_global(self, run: RunKey, key: str) -> Secret:
        """Give a global secret, if the run's namespace may use it; else it is as unknown as one that is not there."""

        async def find() -> BlobId:
            record = await self._database.read(lambda unit: unit.secrets.find_global(key))
            if record is None or not any(pattern.matches(run.namespace) for pattern in record.namespaces):
                raise NotFound(
                    f"there is no such secret that the namespace {quoted(run.namespace)} may use; "
                    "`gofer secret global put` makes one, with --namespace for who may use it",
                    namespace=run.namespace,
                    key=key,
                )
            return record.blob

        return await read_current(find, self._blobs)
