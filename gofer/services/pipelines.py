"""Pipelines: register versions, deploy them, look them up, open and close the pipeline for runs."""

import asyncio
from dataclasses import dataclass, replace

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound
from gofer.core.events import (
    PipelineConfigDeleted,
    PipelineConfigRegistered,
    PipelineDeployCompleted,
    PipelineDeployStarted,
    PipelineDisabled,
    PipelineEnabled,
    PipelineRegistered,
)
from gofer.core.ids import DeploymentId, PipelineKey, TaskId, Version
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
from gofer.sealing import Sealer
from gofer.services.config_plan import Candidates, ConfigPlan, plan_of
from gofer.services.namespaces import resolve_namespace
from gofer.services.runs import Target, pipeline_key
from gofer.services.version_limit import prune_versions
from gofer.sqlite import Database
from gofer.storage.page import Listed, Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import ConfigDraft, TaskDraft, config_faults, find_requirement
from gofer_sdk.rules.text import list_faults
from gofer_sdk.rules.timeouts import timeout_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView:
    """A pipeline together with one of its versions."""

    pipeline: Pipeline
    config: PipelineConfig


class Pipelines:
    """The use cases of pipelines. Every method raises `NotFound` for what does not exist, but lists are empty then."""

    def __init__(self, *, database: Database[Unit], sealer: Sealer, version_limit: int) -> None:
        """Keep at most `version_limit` versions of a pipeline, but never delete one that is in use (0: keep all)."""
        self._database = database
        self._sealer = sealer
        self._version_limit = version_limit

    async def register(self, caller: Caller, namespace: str, draft: ConfigDraft) -> PipelineView:
        """Store a new version, UNRELEASED; the pipeline is made with its first one.

        Versions beyond the limit are deleted, oldest first: none that is live or that a stored run was made from.
        Raises `InvalidInput` with every fault of the draft; nothing is stored then.
        """
        # Large graphs take a while to check, and sealing costs something for each password.
        tasks = await asyncio.to_thread(self._checked_tasks, draft)

        def write(unit: Unit) -> PipelineView:
            key, kept = _to_register(unit, caller, namespace, draft)
            pipeline = kept or _insert(unit, key)
            config = _next_config(unit, key, draft, tasks)
            unit.pipelines.insert_config(config)
            unit.record(
                PipelineConfigRegistered(namespace_id=key.namespace, pipeline_id=key.pipeline, version=config.version)
            )
            prune_versions(unit, key, keep=self._version_limit)
            return PipelineView(pipeline=pipeline, config=config)

        return await self._database.write(write)

    async def plan(self, caller: Caller, namespace: str, draft: ConfigDraft) -> ConfigPlan:
        """Tell what `register` would come to, and store nothing. Raises as that does."""
        tasks = await asyncio.to_thread(self._checked_tasks, draft)

        def read(unit: Unit) -> Candidates:
            key, kept = _to_register(unit, caller, namespace, draft)
            wanted = _next_config(unit, key, draft, tasks)
            return Candidates(
                pipeline=kept or _new_pipeline(unit, key),
                wanted=wanted,
                live=unit.pipelines.find_live_config(key),
                newest=unit.pipelines.find_config(key, Version(wanted.version - 1)),
            )

        candidates = await self._database.read(read)
        return await asyncio.to_thread(plan_of, candidates, opened=self._sealer.open)

    async def get(self, caller: Caller, target: Target, version: int) -> PipelineView:
        """Give the pipeline with that version; 0 means the live one."""

        def read(unit: Unit) -> PipelineView:
            key = pipeline_key(unit, caller, target)
            return PipelineView(pipeline=unit.pipelines.get(key), config=_config(unit, key, version))

        return await self._database.read(read)

    async def list(self, caller: Caller, namespace: str, page: Page) -> Listed[Pipeline]:
        """Give those of a namespace's pipelines that are open to the caller by id, descending."""
        return await self._database.read(
            lambda unit: unit.pipelines.list(
                resolve_namespace(unit, caller, namespace), page, only=caller.only_pipeline
            )
        )

    async def enable(self, caller: Caller, target: Target) -> None:
        """Let runs of the pipeline start again; nothing changes where they may."""
        await self._set_state(caller, target, state=PipelineState.ACTIVE)

    async def disable(self, caller: Caller, target: Target) -> None:
        """Let no run of the pipeline start; those under way go on. Nothing changes where it is disabled."""
        await self._set_state(caller, target, state=PipelineState.DISABLED)

    async def get_config(self, caller: Caller, target: Target, version: int) -> PipelineConfig:
        """Give one version of the pipeline; 0 means the live one."""
        return await self._database.read(lambda unit: _config(unit, pipeline_key(unit, caller, target), version))

    async def list_configs(self, caller: Caller, target: Target, page: Page) -> Listed[PipelineConfig]:
        """Give a pipeline's versions, newest first; none for a pipeline that does not exist."""
        return await self._database.read(
            lambda unit: unit.pipelines.list_configs(pipeline_key(unit, caller, target), page)
        )

    async def delete_config(self, caller: Caller, target: Target, version: int) -> None:
        """Forget a version; its number is never given again.

        Raises `FailedPrecondition` for the live version, the only one, and one that a stored run was made from.
        """
        if version <= 0:
            raise InvalidInput("the version is missing: name the one to delete; versions count from 1")

        def write(unit: Unit) -> None:
            key = pipeline_key(unit, caller, target)
            unit.pipelines.get_kept(key)
            config = unit.pipelines.get_config(key, Version(version))
            _refuse_needed(unit, config)
            unit.pipelines.delete_config(key, config.version)
            unit.record(
                PipelineConfigDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline, version=config.version)
            )

        await self._database.write(write)

    async def deploy(self, caller: Caller, target: Target, version: int) -> Deployment:
        """Make the version the live one, at once; an older one rolls back, the live one stays.

        Runs under way keep their version. Raises `FailedPrecondition` while another deployment is under way, and for a
        version that can't be read.
        """

        def write(unit: Unit) -> Deployment:
            key = pipeline_key(unit, caller, target)
            unit.pipelines.get_kept(key)
            wanted = unit.pipelines.get_config(key, Version(version))
            _refuse_damaged(wanted)
            _refuse_second_deployment(unit, key)
            return _deploy(unit, key, wanted.version)

        return await self._database.write(write)

    async def get_deployment(self, caller: Caller, target: Target, deployment: int) -> Deployment:
        """Give one deployment."""
        if deployment <= 0:
            raise InvalidInput("the deployment's id is missing: deployments count from 1")

        def read(unit: Unit) -> Deployment:
            key = pipeline_key(unit, caller, target)
            return unit.pipelines.get_deployment(key, DeploymentId(deployment))

        return await self._database.read(read)

    async def list_deployments(self, caller: Caller, target: Target, page: Page) -> Listed[Deployment]:
        """Give a pipeline's deployments, newest first; none for a pipeline that does not exist."""
        return await self._database.read(
            lambda unit: unit.pipelines.list_deployments(pipeline_key(unit, caller, target), page)
        )

    async def fail_running_deployments(self) -> int:
        """Fail what the end of an earlier process left under way, and say how many; for the start of the server."""

        def write(unit: Unit) -> int:
            left = unit.pipelines.running_deployments()
            for deployment in left:
                unit.pipelines.update_deployment(
                    replace(
                        deployment,
                        state=DeploymentState.FAILED,
                        reason="the server ended during the deployment; deploy the version again",
                        ended_at=unit.now,
                    )
                )
            return len(left)

        return await self._database.write(write)

    def _checked_tasks(self, draft: ConfigDraft) -> tuple[Task, ...]:
        faults = config_faults(draft)
        if faults:
            raise InvalidInput(f"the pipeline's configuration is refused: {list_faults(faults)}", faults=faults)
        return tuple(self._task(task) for task in draft.tasks)

    def _task(self, draft: TaskDraft) -> Task:
        auth = None
        if draft.registry_user or draft.registry_password:
            sealed = self._sealer.seal(draft.registry_password.encode())
            auth = RegistryAuth(user=draft.registry_user, sealed_password=sealed)
        return Task(
            id=TaskId(draft.id),
            description=draft.description,
            image=draft.image,
            registry_auth=auth,
            depends_on={
                TaskId(parent): Requirement[found.name]
                for parent, wanted in draft.depends_on.items()
                if (found := find_requirement(wanted)) is not None  # the rules have refused any other
            },
            variables=dict(draft.variables),
            entrypoint=draft.entrypoint,
            command=draft.command,
            inject_api_token=draft.inject_api_token,
            timeout=timeout_of(draft.timeout),
        )

    async def _set_state(self, caller: Caller, target: Target, *, state: PipelineState) -> None:
        event = PipelineEnabled if state is PipelineState.ACTIVE else PipelineDisabled

        def write(unit: Unit) -> None:
            found = unit.pipelines.get_kept(pipeline_key(unit, caller, target))
            if found.state is state:
                return
            unit.pipelines.update(replace(found, state=state, modified_at=unit.now))
            unit.record(event(namespace_id=found.namespace, pipeline_id=found.id))

        await self._database.write(write)


def _to_register(unit: Unit, caller: Caller, namespace: str, draft: ConfigDraft) -> tuple[PipelineKey, Pipeline | None]:
    """Give the pipeline that a version is meant for, None where it is not there yet; neither is being deleted."""
    key = pipeline_key(unit, caller, Target(namespace=namespace, pipeline=draft.id))
    unit.namespaces.require_kept(key.namespace)
    return key, unit.pipelines.get_kept(key) if unit.pipelines.find(key) else None


def _next_config(unit: Unit, key: PipelineKey, draft: ConfigDraft, tasks: tuple[Task, ...]) -> PipelineConfig:
    return PipelineConfig(
        namespace=key.namespace,
        pipeline=key.pipeline,
        version=Version(unit.pipelines.last_version(key) + 1),
        name=draft.name,
        description=draft.description,
        parallelism=draft.parallelism,
        tasks=tasks,
        state=ConfigState.UNRELEASED,
        registered_at=unit.now,
        deprecated_at=None,
        run_timeout=timeout_of(draft.run_timeout),
    )


def _new_pipeline(unit: Unit, key: PipelineKey) -> Pipeline:
    return Pipeline(
        namespace=key.namespace,
        id=key.pipeline,
        state=PipelineState.ACTIVE,
        created_at=unit.now,
        modified_at=unit.now,
    )


def _insert(unit: Unit, key: PipelineKey) -> Pipeline:
    pipeline = _new_pipeline(unit, key)
    unit.pipelines.insert(pipeline)
    unit.record(PipelineRegistered(namespace_id=key.namespace, pipeline_id=key.pipeline))
    return pipeline


def _config(unit: Unit, key: PipelineKey, version: int) -> PipelineConfig:
    if version:
        return unit.pipelines.get_config(key, Version(version))
    live = unit.pipelines.find_live_config(key)
    if live is None:
        unit.pipelines.get(key)
        raise NotFound(
            f"pipeline {key} has no live version; deploy one with `gofer pipeline deploy {key.pipeline} VERSION` "
            f"(`gofer pipeline config list {key.pipeline}` names them)",
            namespace=key.namespace,
            pipeline=key.pipeline,
        )
    return live


def _refuse_needed(unit: Unit, config: PipelineConfig) -> None:
    key = PipelineKey(namespace=config.namespace, pipeline=config.pipeline)
    name = f"version {config.version} of pipeline {key}"
    if config.state is ConfigState.LIVE:
        why = (
            f"{name} is the live one: deploy another version first with `gofer pipeline deploy {key.pipeline} VERSION`"
        )
    elif unit.pipelines.count_configs(key) == 1:
        why = f"{name} is the only one: delete the pipeline with `gofer pipeline delete {key.pipeline}`"
    elif unit.runs.has_version(key, config.version):
        why = f"{name} can't be deleted, as stored runs were made from it and show its tasks"
    else:
        return
    raise FailedPrecondition(why, namespace=key.namespace, pipeline=key.pipeline, version=config.version)


def _refuse_damaged(config: PipelineConfig) -> None:
    if config.damage:
        raise FailedPrecondition(
            f"version {config.version} of pipeline {config.namespace}/{config.pipeline} can't be deployed, "
            f"{config.damage}: register it again, and deploy that version",
            namespace=config.namespace,
            pipeline=config.pipeline,
            version=config.version,
        )


def _refuse_second_deployment(unit: Unit, key: PipelineKey) -> None:
    running = unit.pipelines.running_deployment(key)
    if running is not None:
        raise FailedPrecondition(
            f"deployment {running.id} of pipeline {key} is under way; try again when it has ended",
            namespace=key.namespace,
            pipeline=key.pipeline,
            deployment=running.id,
        )


def _deploy(unit: Unit, key: PipelineKey, version: Version) -> Deployment:
    live = unit.pipelines.find_live_config(key)
    deployment = Deployment(
        namespace=key.namespace,
        pipeline=key.pipeline,
        id=DeploymentId(unit.pipelines.last_deployment_id(key) + 1),
        start_version=live.version if live else version,
        end_version=version,
        state=DeploymentState.SUCCEEDED,
        reason="",
        started_at=unit.now,
        ended_at=unit.now,
    )
    if live is not None and live.version != version:
        unit.pipelines.update_config_state(key, live.version, ConfigState.DEPRECATED, unit.now)
    unit.pipelines.update_config_state(key, version, ConfigState.LIVE, None)
    unit.pipelines.insert_deployment(deployment)
    for event in (PipelineDeployStarted, PipelineDeployCompleted):
        unit.record(
            event(
                namespace_id=key.namespace,
                pipeline_id=key.pipeline,
                start_version=deployment.start_version,
                end_version=deployment.end_version,
            )
        )
    return deployment
