"""Pipelines, their versions, tasks and deployments on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from gofer.api.convert.common import given_to_proto, ms
from gofer.core.pipeline import (
    ConfigState,
    Deployment,
    DeploymentState,
    Pipeline,
    PipelineConfig,
    PipelineState,
    RegistryAuth,
    Requirement,
    Task,
)
from gofer.core.run import VariableSource
from gofer.services.config_plan import ConfigPlan
from gofer_sdk._proto import proto
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from gofer_sdk.rules.timeouts import timeout_text

MASK: Final = "***"
"""What is shown in the place of a password."""

PIPELINE_STATES: Final[Mapping[PipelineState, proto.PipelineMetadataPipelineState]] = {
    PipelineState.ACTIVE: proto.PipelineMetadataPipelineState.ACTIVE,
    PipelineState.DISABLED: proto.PipelineMetadataPipelineState.DISABLED,
}
CONFIG_STATES: Final[Mapping[ConfigState, proto.PipelineConfigPipelineConfigState]] = {
    ConfigState.UNRELEASED: proto.PipelineConfigPipelineConfigState.UNRELEASED,
    ConfigState.LIVE: proto.PipelineConfigPipelineConfigState.LIVE,
    ConfigState.DEPRECATED: proto.PipelineConfigPipelineConfigState.DEPRECATED,
}
REQUIREMENTS: Final[Mapping[Requirement, proto.TaskRequiredParentStatus]] = {
    Requirement.ANY: proto.TaskRequiredParentStatus.ANY,
    Requirement.SUCCESS: proto.TaskRequiredParentStatus.SUCCESS,
    Requirement.FAILURE: proto.TaskRequiredParentStatus.FAILURE,
}
# One state of ours is a state and a status on the wire.
DEPLOYMENT_STATES: Final[
    Mapping[DeploymentState, tuple[proto.DeploymentDeploymentState, proto.DeploymentDeploymentStatus]]
] = {
    DeploymentState.RUNNING: (
        proto.DeploymentDeploymentState.RUNNING,
        proto.DeploymentDeploymentStatus.DEPLOYMENT_STATUS_UNKNOWN,
    ),
    DeploymentState.SUCCEEDED: (
        proto.DeploymentDeploymentState.COMPLETE,
        proto.DeploymentDeploymentStatus.SUCCESSFUL,
    ),
    DeploymentState.FAILED: (
        proto.DeploymentDeploymentState.COMPLETE,
        proto.DeploymentDeploymentStatus.FAILED,
    ),
}


def config_draft_of(message: proto.UserPipelineConfig) -> ConfigDraft:
    """Read a config as its author wrote it; nothing is checked yet."""
    return ConfigDraft(
        id=message.id,
        name=message.name,
        description=message.description,
        parallelism=message.parallelism,
        tasks=tuple(_task_draft_of(task) for task in message.tasks),
        run_timeout=message.run_timeout,
    )


def _task_draft_of(message: proto.UserPipelineTaskConfig) -> TaskDraft:
    auth = message.registry_auth or proto.RegistryAuth()
    return TaskDraft(
        id=message.id,
        image=message.image,
        description=message.description,
        depends_on={parent: int(wanted) for parent, wanted in message.depends_on.items()},
        variables=message.variables,
        entrypoint=tuple(message.entrypoint),
        command=tuple(message.command),
        registry_user=auth.user,
        registry_password=auth.pass_,
        inject_api_token=message.inject_api_token,
        timeout=message.timeout,
    )


def pipeline_to_proto(pipeline: Pipeline) -> proto.PipelineMetadata:
    """Give what all versions of a pipeline share."""
    return proto.PipelineMetadata(
        namespace=pipeline.namespace,
        id=pipeline.id,
        created=ms(pipeline.created_at),
        modified=ms(pipeline.modified_at),
        state=PIPELINE_STATES[pipeline.state]
        if pipeline.deleting_at is None
        else proto.PipelineMetadataPipelineState.DISABLED,
        deleting=ms(pipeline.deleting_at),
    )


def config_to_proto(config: PipelineConfig) -> proto.PipelineConfig:
    """Give one version of a pipeline."""
    return proto.PipelineConfig(
        namespace=config.namespace,
        pipeline=config.pipeline,
        version=config.version,
        parallelism=config.parallelism,
        name=config.name,
        description=config.description,
        tasks={task.id: task_to_proto(task) for task in config.tasks},
        state=CONFIG_STATES[config.state],
        registered=ms(config.registered_at),
        deprecated=ms(config.deprecated_at),
        run_timeout=timeout_text(config.run_timeout),
        damage=config.damage,
    )


def plan_to_proto(plan: ConfigPlan) -> proto.RegisterPipelineConfigResponse:
    """Give what registering a pipeline would come to."""
    return proto.RegisterPipelineConfigResponse(
        pipeline=proto.Pipeline(metadata=pipeline_to_proto(plan.pipeline), config=config_to_proto(plan.config)),
        same=plan.is_same,
        changed_passwords=list(plan.changed_passwords),
    )


def config_row_key(config: PipelineConfig) -> tuple[str | int | datetime | None, ...]:
    """Give what the message of a version depends on; the time tells it from one of a pipeline that was deleted."""
    return (
        config.namespace,
        config.pipeline,
        config.version,
        config.registered_at,
        config.state,
        config.deprecated_at,
        config.damage,
    )


def task_to_proto(task: Task) -> proto.Task:
    """Give the definition of a task; a registry's password is masked."""
    return proto.Task(
        id=task.id,
        description=task.description,
        image=task.image,
        registry_auth=_registry_auth_to_proto(task.registry_auth),
        depends_on={parent: REQUIREMENTS[wanted] for parent, wanted in task.depends_on.items()},
        variables=given_to_proto(task.variables, VariableSource.PIPELINE_CONFIG),
        entrypoint=list(task.entrypoint),
        command=list(task.command),
        inject_api_token=task.inject_api_token,
        timeout=timeout_text(task.timeout),
    )


def _registry_auth_to_proto(auth: RegistryAuth | None) -> proto.RegistryAuth | None:
    return None if auth is None else proto.RegistryAuth(user=auth.user, pass_=MASK)


def deployment_to_proto(deployment: Deployment) -> proto.Deployment:
    """Give a deployment."""
    state, status = DEPLOYMENT_STATES[deployment.state]
    return proto.Deployment(
        namespace=deployment.namespace,
        pipeline=deployment.pipeline,
        id=deployment.id,
        start_version=deployment.start_version,
        end_version=deployment.end_version,
        started=ms(deployment.started_at),
        ended=ms(deployment.ended_at),
        state=state,
        status=status,
        status_reason=proto.DeploymentStatusReason(description=deployment.reason),
    )
