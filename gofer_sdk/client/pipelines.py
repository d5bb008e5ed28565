"""Pipelines, their versions and deployments."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.events import EventCalls, EventFilter
from gofer_sdk.client.page import Page, each_of
from gofer_sdk.client.present import present

PIPELINE_DELETED = "PIPELINE_DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPipeline:
    """A pipeline as it is stored, with one of its versions."""

    metadata: proto.PipelineMetadata
    config: proto.PipelineConfig


class PipelineCalls:
    """Pipelines, their versions (configs), and which of them is live (deployments).

    `namespace` empty is the client's own, everywhere. A list's `limit` 0 is the server's own limit.
    """

    def __init__(self, calls: Calls, events: EventCalls) -> None:
        self._calls = calls
        self._events = events

    async def register(self, config: proto.UserPipelineConfig, *, namespace: str = "") -> StoredPipeline:
        """Store a new version of a pipeline, the first one included; it is not live until it is deployed.

        Raises InvalidInput with every fault of the config, NotFound, PermissionDenied.
        """
        request = proto.RegisterPipelineConfigRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_config=config
        )
        reply = await self._calls.once(request, proto.RegisterPipelineConfigResponse)
        return _stored(reply.pipeline, request)

    async def register_unless_same(
        self, config: proto.UserPipelineConfig, *, dry_run: bool = False, namespace: str = ""
    ) -> proto.RegisterPipelineConfigResponse:
        """Store a new version unless the live or the newest one says the same; `dry_run` stores nothing in any case.

        The reply's `same` says that the version in it was there before. Servers of Gofer 0.6 know neither: they store.

        Raises InvalidInput with every fault of the config, NotFound, PermissionDenied.
        """
        request = proto.RegisterPipelineConfigRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_config=config, unless_same=True, dry_run=dry_run
        )
        return await self._calls.once(request, proto.RegisterPipelineConfigResponse)

    async def get(self, pipeline: str, *, version: int = 0, namespace: str = "") -> StoredPipeline:
        """Return a pipeline with one of its versions; 0 is the live one.

        Raises NotFound, also where no version is live.
        """
        request = proto.GetPipelineRequest(namespace_id=self._calls.namespace(namespace), id=pipeline, version=version)
        reply = await self._calls.safe(request, proto.GetPipelineResponse)
        return _stored(reply.pipeline, request)

    async def list(
        self, *, limit: int = 0, offset: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.PipelineMetadata]:
        """Return a page of a namespace's pipelines, by id, last first."""
        request = proto.ListPipelinesRequest(
            namespace_id=self._calls.namespace(namespace), limit=limit, offset=offset, cursor=cursor
        )
        reply = await self._calls.safe(request, proto.ListPipelinesResponse)
        return Page(items=tuple(reply.pipelines), next_cursor=reply.next_cursor)

    def each(self, *, namespace: str = "") -> AsyncGenerator[proto.PipelineMetadata, None]:
        """Yield all pipelines of a namespace, by id, last first."""
        return each_of(lambda cursor: self.list(cursor=cursor, namespace=namespace))

    async def enable(self, pipeline: str, *, namespace: str = "") -> None:
        """Let a pipeline start runs again.

        Raises NotFound, PermissionDenied.
        """
        request = proto.EnablePipelineRequest(namespace_id=self._calls.namespace(namespace), id=pipeline)
        await self._calls.once(request, proto.EnablePipelineResponse)

    async def disable(self, pipeline: str, *, namespace: str = "") -> None:
        """Let a pipeline start no more runs; those under way go on.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DisablePipelineRequest(namespace_id=self._calls.namespace(namespace), id=pipeline)
        await self._calls.once(request, proto.DisablePipelineResponse)

    async def delete(self, pipeline: str, *, wait: bool = True, namespace: str = "") -> None:
        """Delete a pipeline with all that belongs to it; return when it is gone.

        It takes no new work from now on, its runs are cancelled, and what it had is removed when they have ended. That
        goes on whatever becomes of this call; without `wait` it returns as soon as the wish is stored.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DeletePipelineRequest(namespace_id=self._calls.namespace(namespace), id=pipeline, no_wait=True)
        reply = await self._calls.once(request, proto.DeletePipelineResponse)
        if wait:
            only = EventFilter(kinds=(PIPELINE_DELETED,), namespace=reply.namespace_id, pipeline=pipeline)
            await self._events.wait_for(only, after_id=reply.after_event)

    async def get_config(self, pipeline: str, *, version: int = 0, namespace: str = "") -> proto.PipelineConfig:
        """Return one version of a pipeline; 0 is the live one.

        Raises NotFound.
        """
        request = proto.GetPipelineConfigRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, version=version
        )
        reply = await self._calls.safe(request, proto.GetPipelineConfigResponse)
        return present(reply.config, request)

    async def list_configs(
        self, pipeline: str, *, limit: int = 0, offset: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.PipelineConfig]:
        """Return a page of a pipeline's versions, newest first."""
        request = proto.ListPipelineConfigsRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        reply = await self._calls.safe(request, proto.ListPipelineConfigsResponse)
        return Page(items=tuple(reply.configs), next_cursor=reply.next_cursor)

    def each_config(self, pipeline: str, *, namespace: str = "") -> AsyncGenerator[proto.PipelineConfig, None]:
        """Yield all versions of a pipeline, newest first."""
        return each_of(lambda cursor: self.list_configs(pipeline, cursor=cursor, namespace=namespace))

    async def delete_config(self, pipeline: str, version: int, *, namespace: str = "") -> None:
        """Forget a version of a pipeline; its number is never given again.

        Raises NotFound, PermissionDenied, FailedPrecondition (it is live, or the only one, or a run was made from it).
        """
        request = proto.DeletePipelineConfigRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, version=version
        )
        await self._calls.once(request, proto.DeletePipelineConfigResponse)

    async def deploy(self, pipeline: str, version: int, *, namespace: str = "") -> int:
        """Make a version the one that new runs use; return the id of the deployment.

        Raises NotFound, FailedPrecondition while another deployment is under way, PermissionDenied.
        """
        request = proto.DeployPipelineRequest(
            namespace_id=self._calls.namespace(namespace), id=pipeline, version=version
        )
        reply = await self._calls.once(request, proto.DeployPipelineResponse)
        return reply.deployment_id

    async def get_deployment(self, pipeline: str, deployment: int, *, namespace: str = "") -> proto.Deployment:
        """Return one deployment.

        Raises NotFound.
        """
        request = proto.GetDeploymentRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, id=deployment
        )
        reply = await self._calls.safe(request, proto.GetDeploymentResponse)
        return present(reply.deployment, request)

    async def list_deployments(
        self, pipeline: str, *, limit: int = 0, offset: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.Deployment]:
        """Return a page of a pipeline's deployments, newest first."""
        request = proto.ListDeploymentsRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        reply = await self._calls.safe(request, proto.ListDeploymentsResponse)
        return Page(items=tuple(reply.deployments), next_cursor=reply.next_cursor)

    def each_deployment(self, pipeline: str, *, namespace: str = "") -> AsyncGenerator[proto.Deployment, None]:
        """Yield all deployments of a pipeline, newest first."""
        return each_of(lambda cursor: self.list_deployments(pipeline, cursor=cursor, namespace=namespace))


def _stored(
    pipeline: proto.Pipeline | None, request: proto.RegisterPipelineConfigRequest | proto.GetPipelineRequest
) -> StoredPipeline:
    found = present(pipeline, request)
    return StoredPipeline(metadata=present(found.metadata, request), config=present(found.config, request))
