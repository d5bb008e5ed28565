"""Pipelines, their versions and deployments."""

import asyncio
from typing import Final

from gofer.api.caller import current_caller
from gofer.api.convert.common import page_of
from gofer.api.convert.pipelines import (
    config_draft_of,
    config_row_key,
    config_to_proto,
    deployment_to_proto,
    pipeline_to_proto,
    plan_to_proto,
)
from gofer.api.encoded import EncodedParts, element
from gofer.api.exchange import encoded_reply
from gofer.api.kept import KeptReplies
from gofer.core.errors import InvalidInput
from gofer.services.deletion import Deletion
from gofer.services.pipelines import Pipelines, PipelineView
from gofer.services.runs import Target
from gofer_sdk._proto import proto
from gofer_sdk.codec import encode

PIPELINE_FIELD: Final = 1  # of GetPipelineResponse and RegisterPipelineConfigResponse
MANY_TASKS: Final = 100
CONFIG_FIELD: Final = 2  # of Pipeline


class PipelineHandlers(proto.GoferBase):
    """The RPCs about pipelines."""

    def __init__(self, *, pipelines: Pipelines, deletion: Deletion, kept: KeptReplies, results_limit: int) -> None:
        """Give at most `results_limit` items of a list at once."""
        self._pipelines = pipelines
        self._deletion = deletion
        self._kept = kept
        self._results_limit = results_limit
        self._encoded = EncodedParts(field=CONFIG_FIELD)

    async def register_pipeline_config(
        self, message: proto.RegisterPipelineConfigRequest
    ) -> proto.RegisterPipelineConfigResponse:
        """Serve RegisterPipelineConfig."""
        if message.pipeline_config is None:
            raise InvalidInput("pipeline_config is missing: send the pipeline that is to be registered")
        # In a thread, as a graph may have many thousands of tasks.
        draft = await asyncio.to_thread(config_draft_of, message.pipeline_config)
        if message.unless_same or message.dry_run:
            plan = await self._pipelines.plan(current_caller(), message.namespace_id, draft)
            if plan.is_same or message.dry_run:
                return await asyncio.to_thread(plan_to_proto, plan)
        view = await self._pipelines.register(current_caller(), message.namespace_id, draft)
        return encoded_reply(proto.RegisterPipelineConfigResponse, await self._encoded_view(view))

    async def get_pipeline(self, message: proto.GetPipelineRequest) -> proto.GetPipelineResponse:
        """Serve GetPipeline."""
        target = Target(namespace=message.namespace_id, pipeline=message.id)
        key = (proto.GetPipelineRequest, current_caller(), target.namespace, target.pipeline, message.version)
        reply = await self._kept.of(key, lambda: self._get_pipeline(target, message.version))
        return encoded_reply(proto.GetPipelineResponse, reply)

    async def _get_pipeline(self, target: Target, version: int) -> bytes:
        return await self._encoded_view(await self._pipelines.get(current_caller(), target, version))

    async def _encoded_view(self, view: PipelineView) -> bytes:
        """Give the one field that the replies with a pipeline have."""
        config = view.config
        encoded = await self._encoded.joined(
            [(config_row_key(config), lambda: config_to_proto(config))], are_large=len(config.tasks) > MANY_TASKS
        )
        return element(PIPELINE_FIELD, encode(proto.Pipeline(metadata=pipeline_to_proto(view.pipeline))) + encoded)

    async def list_pipelines(self, message: proto.ListPipelinesRequest) -> proto.ListPipelinesResponse:
        """Serve ListPipelines."""
        page = page_of(message, self._results_limit)
        listed = await self._pipelines.list(current_caller(), message.namespace_id, page)
        return proto.ListPipelinesResponse(
            pipelines=[pipeline_to_proto(found) for found in listed.items], next_cursor=listed.next_cursor
        )

    async def enable_pipeline(self, message: proto.EnablePipelineRequest) -> proto.EnablePipelineResponse:
        """Serve EnablePipeline."""
        target = Target(namespace=message.namespace_id, pipeline=message.id)
        await self._pipelines.enable(current_caller(), target)
        return proto.EnablePipelineResponse()

    async def disable_pipeline(self, message: proto.DisablePipelineRequest) -> proto.DisablePipelineResponse:
        """Serve DisablePipeline."""
        target = Target(namespace=message.namespace_id, pipeline=message.id)
        await self._pipelines.disable(current_caller(), target)
        return proto.DisablePipelineResponse()

    async def delete_pipeline(self, message: proto.DeletePipelineRequest) -> proto.DeletePipelineResponse:
        """Serve DeletePipeline."""
        target = Target(namespace=message.namespace_id, pipeline=message.id)
        key, event = await self._deletion.delete_pipeline(current_caller(), target, wait=not message.no_wait)
        return proto.DeletePipelineResponse(after_event=event, namespace_id=key.namespace)

    async def get_pipeline_config(self, message: proto.GetPipelineConfigRequest) -> proto.GetPipelineConfigResponse:
        """Serve GetPipelineConfig."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        config = await self._pipelines.get_config(current_caller(), target, message.version)
        return proto.GetPipelineConfigResponse(config=config_to_proto(config))

    async def list_pipeline_configs(
        self, message: proto.ListPipelineConfigsRequest
    ) -> proto.ListPipelineConfigsResponse:
        """Serve ListPipelineConfigs."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        page = page_of(message, self._results_limit)
        listed = await self._pipelines.list_configs(current_caller(), target, page)
        return proto.ListPipelineConfigsResponse(
            configs=[config_to_proto(found) for found in listed.items], next_cursor=listed.next_cursor
        )

    async def delete_pipeline_config(
        self, message: proto.DeletePipelineConfigRequest
    ) -> proto.DeletePipelineConfigResponse:
        """Serve DeletePipelineConfig."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        await self._pipelines.delete_config(current_caller(), target, message.version)
        return proto.DeletePipelineConfigResponse()

    async def deploy_pipeline(self, message: proto.DeployPipelineRequest) -> proto.DeployPipelineResponse:
        """Serve DeployPipeline."""
        target = Target(namespace=message.namespace_id, pipeline=message.id)
        deployment = await self._pipelines.deploy(current_caller(), target, message.version)
        return proto.DeployPipelineResponse(deployment_id=deployment.id)

    async def get_deployment(self, message: proto.GetDeploymentRequest) -> proto.GetDeploymentResponse:
        """Serve GetDeployment."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        deployment = await self._pipelines.get_deployment(current_caller(), target, message.id)
        return proto.GetDeploymentResponse(deployment=deployment_to_proto(deployment))

    async def list_deployments(self, message: proto.ListDeploymentsRequest) -> proto.ListDeploymentsResponse:
        """Serve ListDeployments."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        page = page_of(message, self._results_limit)
        listed = await self._pipelines.list_deployments(current_caller(), target, page)
        return proto.ListDeploymentsResponse(
            deployments=[deployment_to_proto(found) for found in listed.items], next_cursor=listed.next_cursor
        )
