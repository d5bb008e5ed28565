"""What references to objects stand for in a run: no caller asks, but a task that is being launched."""

from gofer.core.access import Caller
from gofer.core.errors import NotFound
from gofer.core.ids import RunKey
from gofer.core.interpolation import MAX_VARIABLE_BYTES
from gofer.services.object_rules import ObjectTarget
from gofer.services.objects import Objects

_LAUNCH = Caller(name="task launch", is_admin=True, is_local=True)


class ObjectValues:
    """Gives objects to runs: those of their own pipeline, and their own.

    Every method raises `NotFound` in words that name the key, `LimitReached` for what is too large for a variable, and
    `Unavailable` where the database or the object store can't be reached. Bytes that are no UTF-8 are kept as they are,
    by `surrogateescape`.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def of_pipeline(self, run: RunKey, key: str) -> str:
        """Give an object of the run's own pipeline."""
        try:
            return await self._text(ObjectTarget(namespace=run.namespace, pipeline=run.pipeline), key)
        except NotFound as error:
            raise NotFound(
                f"the pipeline has no such object; put it with `gofer pipeline object put {run.pipeline} KEY`", key=key
            ) from error

    async def of_run(self, run: RunKey, key: str) -> str:
        """Give an object of the run itself."""
        try:
            return await self._text(ObjectTarget(namespace=run.namespace, pipeline=run.pipeline, run=run.run), key)
        except NotFound as error:
            raise NotFound(
                "the run has no such object; a task that this one depends on must put it", key=key
            ) from error

    async def _text(self, target: ObjectTarget, key: str) -> str:
        _, content = await self._objects.read(_LAUNCH, target, key, most_bytes=MAX_VARIABLE_BYTES)
        return content.decode("utf-8", "surrogateescape")
