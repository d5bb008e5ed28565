"""Secrets, and the key that they are encrypted with."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from gofer.api.caller import current_caller
from gofer.api.convert.secrets import progress_to_proto, put_of, record_to_proto, value_of
from gofer.services.global_secrets import GlobalSecrets
from gofer.services.rotation import KeyRotation
from gofer.services.runs import Target
from gofer.services.secrets import PipelineSecrets
from gofer_sdk._proto import proto


class SecretHandlers(proto.GoferBase):
    """The RPCs about secrets."""

    def __init__(
        self, *, pipeline_secrets: PipelineSecrets, global_secrets: GlobalSecrets, rotation: KeyRotation
    ) -> None:
        self._pipeline = pipeline_secrets
        self._global = global_secrets
        self._rotation = rotation

    async def get_pipeline_secret(self, message: proto.GetPipelineSecretRequest) -> proto.GetPipelineSecretResponse:
        """Serve GetPipelineSecret."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        view = await self._pipeline.get(current_caller(), target, message.key, with_value=message.include_secret)
        return proto.GetPipelineSecretResponse(metadata=record_to_proto(view.record), secret=value_of(view))

    async def list_pipeline_secrets(
        self, message: proto.ListPipelineSecretsRequest
    ) -> proto.ListPipelineSecretsResponse:
        """Serve ListPipelineSecrets."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        found = await self._pipeline.list(current_caller(), target)
        return proto.ListPipelineSecretsResponse(keys=[record_to_proto(record) for record in found])

    async def put_pipeline_secret(self, message: proto.PutPipelineSecretRequest) -> proto.PutPipelineSecretResponse:
        """Serve PutPipelineSecret."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        done = await self._pipeline.put(current_caller(), target, put_of(message))
        return proto.PutPipelineSecretResponse(bytes=done.size_bytes, warning=done.warning)

    async def delete_pipeline_secret(
        self, message: proto.DeletePipelineSecretRequest
    ) -> proto.DeletePipelineSecretResponse:
        """Serve DeletePipelineSecret."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        await self._pipeline.delete(current_caller(), target, message.key)
        return proto.DeletePipelineSecretResponse()

    async def get_global_secret(self, message: proto.GetGlobalSecretRequest) -> proto.GetGlobalSecretResponse:
        """Serve GetGlobalSecret."""
        view = await self._global.get(current_caller(), message.key, with_value=message.include_secret)
        return proto.GetGlobalSecretResponse(metadata=record_to_proto(view.record), secret=value_of(view))

    async def list_global_secrets(self, message: proto.ListGlobalSecretsRequest) -> proto.ListGlobalSecretsResponse:
        """Serve ListGlobalSecrets."""
        del message
        found = await self._global.list(current_caller())
        return proto.ListGlobalSecretsResponse(keys=[record_to_proto(record) for record in found])

    async def put_global_secret(self, message: proto.PutGlobalSecretRequest) -> proto.PutGlobalSecretResponse:
        """Serve PutGlobalSecret."""
        done = await self._global.put(current_caller(), put_of(message), message.namespaces)
        return proto.PutGlobalSecretResponse(bytes=done.size_bytes, warning=done.warning)

    async def delete_global_secret(self, message: proto.DeleteGlobalSecretRequest) -> proto.DeleteGlobalSecretResponse:
        """Serve DeleteGlobalSecret."""
        await self._global.delete(current_caller(), message.key)
        return proto.DeleteGlobalSecretResponse()

    async def rotate_key(self, message: proto.RotateKeyRequest) -> AsyncIterator[proto.RotateKeyResponse]:
        """Serve RotateKey."""
        del message
        async with aclosing(self._rotation.run(current_caller())) as steps:
            async for progress in steps:
                yield progress_to_proto(progress)
