"""Objects: bytes that are kept for a pipeline, or for one of its runs."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.object_files import Content, pieces_of, write_file
from gofer_sdk.client.present import present
from gofer_sdk.errors import ServerFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An object and its content, which can be read once.

    Attributes:
        details: its key, its size and when it was put.
        run: which run's it is; 0 for a pipeline's own.
        content: its bytes, in pieces of at most 1 MiB. Raises CallFailed where the rest does not come.

    """

    details: proto.ObjectStoreKey
    run: int
    content: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """All objects of a pipeline or of a run without their content, oldest first.

    Attributes:
        items: the objects.
        run: which run's they are; 0 for a pipeline's own.

    """

    items: tuple[proto.ObjectStoreKey, ...]
    run: int = 0

    def __iter__(self) -> Iterator[proto.ObjectStoreKey]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class ObjectCalls:
    """The object store.

    `run` None means the pipeline's own objects, a number those of that run, 0 those of the newest run. `namespace`
    empty is the client's own.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def put(
        self,
        pipeline: str,
        key: str,
        content: Content,
        *,
        run: int | None = None,
        force: bool = False,
        namespace: str = "",
    ) -> proto.UploadObjectResponse:
        """Keep an object of any size that the server allows; nobody sees it before it is whole.

        Content that is no `bytes` is sent piece by piece and never held as a whole. `force` replaces an object that is
        there. The answer names those that a pipeline lost for it.

        Raises InvalidInput, NotFound, AlreadyExists, LimitReached, FailedPrecondition (the run is too old),
        PermissionDenied, and what `content` raises, such as OSError; then nothing was kept.
        """
        name = self._name(pipeline, key, run=run, namespace=namespace)
        async with aclosing(_messages(name, content, force=force)) as messages:
            return await self._calls.upload(messages, proto.UploadObjectRequest, proto.UploadObjectResponse)

    @asynccontextmanager
    async def open(
        self, pipeline: str, key: str, *, run: int | None = None, namespace: str = ""
    ) -> AsyncGenerator[Download, None]:
        """Give an object of any size for the length of the block; its content comes as fast as it is read.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DownloadObjectRequest(object=self._name(pipeline, key, run=run, namespace=namespace))
        async with aclosing(self._calls.stream(request, proto.DownloadObjectResponse)) as replies:
            first = await anext(replies, proto.DownloadObjectResponse())
            details = present(first.metadata, request)
            async with aclosing(_content(replies, details)) as content:
                yield Download(details=details, run=first.run_id, content=content)

    async def get(self, pipeline: str, key: str, *, run: int | None = None, namespace: str = "") -> bytes:
        """Return the whole content of an object.

        Raises NotFound, PermissionDenied.
        """
        async with self.open(pipeline, key, run=run, namespace=namespace) as found:
            return b"".join([piece async for piece in found.content])

    async def save(
        self, pipeline: str, key: str, path: Path, *, run: int | None = None, namespace: str = ""
    ) -> proto.ObjectStoreKey:
        """Write an object of any size to a file, which is there only when it is whole; return what is known of it.

        A file that is at the path is replaced. Raises NotFound, PermissionDenied, and OSError.
        """
        async with self.open(pipeline, key, run=run, namespace=namespace) as found:
            await write_file(path, found.content)
            return found.details

    async def list(self, pipeline: str, *, run: int | None = None, namespace: str = "") -> ObjectList:
        """Return all objects without their content, oldest first.

        Raises NotFound, PermissionDenied.
        """
        namespace = self._calls.namespace(namespace)
        if run is None:
            of_pipeline = proto.ListPipelineObjectsRequest(namespace_id=namespace, pipeline_id=pipeline)
            return ObjectList(
                items=tuple((await self._calls.safe(of_pipeline, proto.ListPipelineObjectsResponse)).keys)
            )
        of_run = proto.ListRunObjectsRequest(namespace_id=namespace, pipeline_id=pipeline, run_id=run)
        reply = await self._calls.safe(of_run, proto.ListRunObjectsResponse)
        return ObjectList(items=tuple(reply.keys), run=reply.run_id)

    async def delete(self, pipeline: str, key: str, *, run: int | None = None, namespace: str = "") -> None:
        """Remove an object.

        Raises NotFound, PermissionDenied.
        """
        namespace = self._calls.namespace(namespace)
        if run is None:
            of_pipeline = proto.DeletePipelineObjectRequest(namespace_id=namespace, pipeline_id=pipeline, key=key)
            await self._calls.once(of_pipeline, proto.DeletePipelineObjectResponse)
        else:
            of_run = proto.DeleteRunObjectRequest(namespace_id=namespace, pipeline_id=pipeline, run_id=run, key=key)
            await self._calls.once(of_run, proto.DeleteRunObjectResponse)

    def _name(self, pipeline: str, key: str, *, run: int | None, namespace: str) -> proto.ObjectName:
        return proto.ObjectName(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            key=key,
            of_run=run is not None,
            run_id=run or 0,
        )


async def _messages(
    name: proto.ObjectName, content: Content, *, force: bool
) -> AsyncGenerator[proto.UploadObjectRequest, None]:
    yield proto.UploadObjectRequest(object=name, force=force)
    async with aclosing(pieces_of(content)) as pieces:
        async for piece in pieces:
            yield proto.UploadObjectRequest(content=piece)


async def _content(
    replies: AsyncIterable[proto.DownloadObjectResponse], details: proto.ObjectStoreKey
) -> AsyncGenerator[bytes, None]:
    missing = details.bytes
    async for reply in replies:
        missing -= len(reply.content)
        yield reply.content
    if missing:
        raise ServerFault(f"DownloadObject: {missing:,} bytes of the object {details.key!r} are missing")
