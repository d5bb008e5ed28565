"""Objects of pipelines and of runs."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing

from gofer.api.caller import current_caller
from gofer.api.convert.objects import name_of, record_to_proto
from gofer.core.errors import InvalidInput
from gofer.services.object_rules import ObjectTarget, too_large
from gofer.services.objects import Objects, PutObject, StoredObject
from gofer_sdk._proto import proto


class ObjectHandlers(proto.GoferBase):
    """The RPCs about objects."""

    def __init__(self, *, objects: Objects, most_bytes_at_once: int) -> None:
        """Give no object that is larger than `most_bytes_at_once` in one reply; what is goes by a stream."""
        self._objects = objects
        self._most_bytes_at_once = most_bytes_at_once

    # ---------------------------------------------------------------- of pipelines

    async def list_pipeline_objects(
        self, message: proto.ListPipelineObjectsRequest
    ) -> proto.ListPipelineObjectsResponse:
        """Serve ListPipelineObjects."""
        target = ObjectTarget(namespace=message.namespace_id, pipeline=message.pipeline_id)
        found = await self._objects.list(current_caller(), target)
        return proto.ListPipelineObjectsResponse(keys=[record_to_proto(record) for record in found.records])

    async def get_pipeline_object(self, message: proto.GetPipelineObjectRequest) -> proto.GetPipelineObjectResponse:
        """Serve GetPipelineObject."""
        target = ObjectTarget(namespace=message.namespace_id, pipeline=message.pipeline_id)
        _, content = await self._objects.read(
            current_caller(), target, message.key, most_bytes=self._most_bytes_at_once
        )
        return proto.GetPipelineObjectResponse(content=content)

    async def put_pipeline_object(self, message: proto.PutPipelineObjectRequest) -> proto.PutPipelineObjectResponse:
        """Serve PutPipelineObject."""
        target = ObjectTarget(namespace=message.namespace_id, pipeline=message.pipeline_id)
        stored = await self._put(target, PutObject(key=message.key, force=message.force), message.content)
        return proto.PutPipelineObjectResponse(
            bytes=stored.size_bytes,
            object_limit=self._objects.limits.pipeline_objects,
            object_evicted=stored.evicted[0] if stored.evicted else "",
            objects_evicted=list(stored.evicted),
        )

    async def delete_pipeline_object(
        self, message: proto.DeletePipelineObjectRequest
    ) -> proto.DeletePipelineObjectResponse:
        """Serve DeletePipelineObject."""
        target = ObjectTarget(namespace=message.namespace_id, pipeline=message.pipeline_id)
        await self._objects.delete(current_caller(), target, message.key)
        return proto.DeletePipelineObjectResponse()

    # ---------------------------------------------------------------- of runs

    async def list_run_objects(self, message: proto.ListRunObjectsRequest) -> proto.ListRunObjectsResponse:
        """Serve ListRunObjects."""
        found = await self._objects.list(current_caller(), _run_of(message))
        keys = [record_to_proto(record) for record in found.records]
        return proto.ListRunObjectsResponse(keys=keys, run_id=found.run or 0)

    async def get_run_object(self, message: proto.GetRunObjectRequest) -> proto.GetRunObjectResponse:
        """Serve GetRunObject."""
        found, content = await self._objects.read(
            current_caller(), _run_of(message), message.key, most_bytes=self._most_bytes_at_once
        )
        return proto.GetRunObjectResponse(content=content, run_id=found.run or 0)

    async def put_run_object(self, message: proto.PutRunObjectRequest) -> proto.PutRunObjectResponse:
        """Serve PutRunObject."""
        command = PutObject(key=message.key, force=message.force)
        stored = await self._put(_run_of(message), command, message.content)
        return proto.PutRunObjectResponse(bytes=stored.size_bytes, run_id=stored.run or 0)

    async def delete_run_object(self, message: proto.DeleteRunObjectRequest) -> proto.DeleteRunObjectResponse:
        """Serve DeleteRunObject."""
        await self._objects.delete(current_caller(), _run_of(message), message.key)
        return proto.DeleteRunObjectResponse()

    # ---------------------------------------------------------------- of both, as streams

    async def upload_object(self, messages: AsyncIterator[proto.UploadObjectRequest]) -> proto.UploadObjectResponse:
        """Serve UploadObject."""
        first = await anext(messages, None)
        target, key = name_of(None if first is None else first.object)
        force, content = (False, b"") if first is None else (first.force, first.content)
        command = PutObject(key=key, force=force)
        async with aclosing(_content_of(content, messages)) as pieces:
            stored = await self._objects.put(current_caller(), target, command, pieces)
        return proto.UploadObjectResponse(
            bytes=stored.size_bytes,
            object_limit=self._objects.limits.pipeline_objects if stored.run is None else 0,
            objects_evicted=list(stored.evicted),
            run_id=stored.run or 0,
        )

    async def download_object(
        self, message: proto.DownloadObjectRequest
    ) -> AsyncGenerator[proto.DownloadObjectResponse, None]:
        """Serve DownloadObject."""
        target, key = name_of(message.object)
        found, content = await self._objects.open(current_caller(), target, key)
        async with aclosing(content) as pieces:
            yield proto.DownloadObjectResponse(metadata=record_to_proto(found.record), run_id=found.run or 0)
            async for piece in pieces:
                yield proto.DownloadObjectResponse(content=piece)

    async def _put(self, target: ObjectTarget, command: PutObject, content: bytes) -> StoredObject:
        if len(content) > self._objects.limits.size_bytes:
            raise too_large(command.key, self._objects.limits)
        return await self._objects.put(current_caller(), target, command, _whole(content))


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _content_of(first: bytes, messages: AsyncIterable[proto.UploadObjectRequest]) -> AsyncGenerator[bytes, None]:
    yield first
    async for message in messages:
        if message.object is not None or message.force:
            raise InvalidInput("only the first message of an upload names the object: send one upload at a time")
        yield message.content


def _run_of(
    message: proto.ListRunObjectsRequest
    | proto.GetRunObjectRequest
    | proto.PutRunObjectRequest
    | proto.DeleteRunObjectRequest,
) -> ObjectTarget:
    return ObjectTarget(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.run_id)
