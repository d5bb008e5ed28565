"""Secrets of pipelines, and global ones."""

from collections.abc import Sequence

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.listed import listed
from gofer_sdk.client.present import present


class SecretCalls:
    """The secrets of pipelines. Their values travel in the answers of `get` only, where they are asked for."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def put(
        self, pipeline: str, key: str, value: str, *, force: bool = False, namespace: str = ""
    ) -> proto.PutPipelineSecretResponse:
        """Keep a secret for a pipeline; `force` replaces one that is there. The answer may hold a warning.

        Raises AlreadyExists, NotFound, InvalidInput, LimitReached, PermissionDenied.
        """
        request = proto.PutPipelineSecretRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, key=key, content=value, force=force
        )
        return await self._calls.once(request, proto.PutPipelineSecretResponse)

    async def get(
        self, pipeline: str, key: str, *, with_value: bool = False, namespace: str = ""
    ) -> proto.GetPipelineSecretResponse:
        """Return what is known of a secret, with its value where that is asked for.

        Raises NotFound, PermissionDenied.
        """
        request = proto.GetPipelineSecretRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, key=key, include_secret=with_value
        )
        return await self._calls.safe(request, proto.GetPipelineSecretResponse)

    async def list(self, pipeline: str, *, namespace: str = "") -> tuple[proto.SecretStoreKey, ...]:
        """Return all secrets of a pipeline by key, without their values.

        Raises NotFound, PermissionDenied.
        """
        request = proto.ListPipelineSecretsRequest(namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline)
        reply = await self._calls.safe(request, proto.ListPipelineSecretsResponse)
        return tuple(reply.keys)

    async def delete(self, pipeline: str, key: str, *, namespace: str = "") -> None:
        """Remove a secret.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DeletePipelineSecretRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, key=key
        )
        await self._calls.once(request, proto.DeletePipelineSecretResponse)


class GlobalSecretCalls:
    """The secrets that pipelines of several namespaces may use. All calls need a management token."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def put(
        self, key: str, value: str, *, namespaces: Sequence[str], force: bool = False
    ) -> proto.PutGlobalSecretResponse:
        """Keep a secret for the namespaces, which are ids or globs; `force` replaces one that is there.

        Raises AlreadyExists, InvalidInput, LimitReached, PermissionDenied.
        """
        request = proto.PutGlobalSecretRequest(
            key=key, content=value, namespaces=listed(namespaces, "namespaces"), force=force
        )
        return await self._calls.once(request, proto.PutGlobalSecretResponse)

    async def get(self, key: str, *, with_value: bool = False) -> proto.GetGlobalSecretResponse:
        """Return what is known of a secret, with its value where that is asked for.

        Raises NotFound, PermissionDenied.
        """
        request = proto.GetGlobalSecretRequest(key=key, include_secret=with_value)
        reply = await self._calls.safe(request, proto.GetGlobalSecretResponse)
        present(reply.metadata, request)
        return reply

    async def list(self) -> tuple[proto.SecretStoreKey, ...]:
        """Return all global secrets by key, without their values.

        Raises PermissionDenied.
        """
        reply = await self._calls.safe(proto.ListGlobalSecretsRequest(), proto.ListGlobalSecretsResponse)
        return tuple(reply.keys)

    async def delete(self, key: str) -> None:
        """Remove a secret.

        Raises NotFound, PermissionDenied.
        """
        await self._calls.once(proto.DeleteGlobalSecretRequest(key=key), proto.DeleteGlobalSecretResponse)
