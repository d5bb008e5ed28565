from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied
from gofer.core.events import (
    PipelineConfigDeleted,
    PipelineConfigRegistered,
    PipelineDeployCompleted,
    PipelineDeployStarted,
    PipelineDisabled,
    PipelineEnabled,
    PipelineRegistered,
)
from gofer.core.ids import DeploymentId, PipelineId, TaskId, Version
from gofer.core.pipeline import ConfigState, DeploymentState, PipelineState, Requirement, Task
from gofer.core.run import RunState
from gofer.sealing import Sealer, SealingKey
from gofer.services.namespaces import Namespaces
from gofer.services.pipelines import Pipelines
from gofer.services.runs import Target
from gofer.sqlite import Database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.factories import KEY, NAMESPACE, PIPELINE, make_deployment, make_run
from tests.fakes.clock import FakeClock
from tests.unit.services.journal import events_of

TARGET = Target(namespace="", pipeline="simple")
UNKNOWN = Target(namespace="", pipeline="nothing")
HELLO = TaskDraft(id="hello", image="busybox:latest")
SIMPLE = ConfigDraft(id="simple", name="Simple", tasks=(HELLO,))


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SealingKey(b"k" * 32))


@pytest.fixture
async def pipelines(database: Database[Unit], sealer: Sealer) -> Pipelines:
    await Namespaces(database=database).ensure_default()
    return Pipelines(database=database, sealer=sealer, version_limit=5)


async def last_events(database: Database[Unit]) -> list[object]:
    """Give all events but the default namespace's."""
    return [*await events_of(database, after=1)]


def registered(version: int) -> PipelineConfigRegistered:
    return PipelineConfigRegistered(namespace_id=NAMESPACE, pipeline_id=PIPELINE, version=Version(version))


def deployed(start: int, end: int) -> list[object]:
    return [
        kind(namespace_id=NAMESPACE, pipeline_id=PIPELINE, start_version=Version(start), end_version=Version(end))
        for kind in (PipelineDeployStarted, PipelineDeployCompleted)
    ]


# ---------------------------------------------------------------- register


async def test_the_first_registration_makes_the_pipeline_and_its_first_version(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], clock: FakeClock
) -> None:
    view = await pipelines.register(caller, "", SIMPLE)

    assert (view.pipeline.key, view.pipeline.state) == (KEY, PipelineState.ACTIVE)
    assert (view.config.version, view.config.state, view.config.name) == (1, ConfigState.UNRELEASED, "Simple")
    assert view.config.tasks == (Task(id=TaskId("hello"), image="busybox:latest"),)
    assert view.config.registered_at == view.pipeline.created_at == clock.now()
    assert await pipelines.get(caller, TARGET, 1) == view
    assert await last_events(database) == [
        PipelineRegistered(namespace_id=NAMESPACE, pipeline_id=PIPELINE),
        registered(1),
    ]


async def test_a_later_registration_makes_another_version_and_answers_with_the_stored_pipeline(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], clock: FakeClock
) -> None:
    first = await pipelines.register(caller, "", SIMPLE)
    await pipelines.disable(caller, TARGET)
    await clock.advance(timedelta(minutes=1))

    second = await pipelines.register(caller, "default", replace(SIMPLE, name="Other", parallelism=3))

    assert second.pipeline == replace(first.pipeline, state=PipelineState.DISABLED)
    assert (second.config.version, second.config.name, second.config.parallelism) == (2, "Other", 3)
    assert (await last_events(database))[-1] == registered(2)


async def test_everything_of_a_task_is_stored(pipelines: Pipelines, caller: Caller, sealer: Sealer) -> None:
    task = TaskDraft(
        id="second",
        image="private/image",
        description="words",
        depends_on={"hello": 3},
        variables={"KEY": "secret{{k}}"},
        entrypoint=("sh",),
        command=("-c", "true"),
        registry_user="me",
        registry_password="secret",
        inject_api_token=True,
    )

    await pipelines.register(caller, "", replace(SIMPLE, tasks=(HELLO, task)))

    stored = (await pipelines.get_config(caller, TARGET, 1)).tasks[1]
    assert stored.registry_auth is not None
    assert sealer.open(stored.registry_auth.sealed_password) == b"secret"
    assert stored == Task(
        id=TaskId("second"),
        image="private/image",
        description="words",
        depends_on={TaskId("hello"): Requirement.FAILURE},
        variables={"KEY": "secret{{k}}"},
        entrypoint=("sh",),
        command=("-c", "true"),
        registry_auth=stored.registry_auth,
        inject_api_token=True,
    )
    assert stored.registry_auth.user == "me"
    assert b"secret" not in stored.registry_auth.sealed_password


async def test_a_bad_config_is_refused_with_every_fault_and_nothing_is_stored(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    bad = ConfigDraft(
        id="a-b",
        parallelism=-1,
        tasks=(
            TaskDraft(id="one", image="", depends_on={"two": 1}),
            TaskDraft(id="two", image="x", depends_on={"one": 9}),
        ),
    )

    with pytest.raises(InvalidInput) as refused:
        await pipelines.register(caller, "", bad)

    assert len(refused.value.faults) == 5
    assert "one -> two -> one" in refused.value.message
    assert await last_events(database) == []


async def test_registering_needs_an_open_and_existing_namespace(
    pipelines: Pipelines, caller: Caller, stranger: Caller
) -> None:
    with pytest.raises(NotFound, match="no namespace 'nothing'"):
        await pipelines.register(caller, "nothing", SIMPLE)
    with pytest.raises(PermissionDenied):
        await pipelines.register(stranger, "", SIMPLE)


async def test_versions_beyond_the_limit_are_deleted_oldest_first_but_none_in_use(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], sealer: Sealer
) -> None:
    narrow = Pipelines(database=database, sealer=sealer, version_limit=2)
    for _ in range(4):
        await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)
    await database.write(lambda unit: unit.runs.insert_run(make_run(version=Version(3), state=RunState.SUCCEEDED)))
    before = len(await last_events(database))

    await narrow.register(caller, "", SIMPLE)

    listed = await pipelines.list_configs(caller, TARGET, Page())
    assert [config.version for config in listed.items] == [5, 3, 1]
    assert (await last_events(database))[before:] == [
        registered(5),
        *(
            PipelineConfigDeleted(namespace_id=NAMESPACE, pipeline_id=PIPELINE, version=Version(version))
            for version in (2, 4)
        ),
    ]


async def test_no_limit_keeps_every_version(caller: Caller, pipelines: Pipelines, database: Database[Unit]) -> None:
    unlimited = Pipelines(database=database, sealer=Sealer(SealingKey(b"k" * 32)), version_limit=0)

    for _ in range(8):
        await unlimited.register(caller, "", SIMPLE)

    assert len((await pipelines.list_configs(caller, TARGET, Page())).items) == 8


# ---------------------------------------------------------------- look up


async def test_version_0_means_the_live_one(pipelines: Pipelines, caller: Caller) -> None:
    for _ in range(2):
        await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)

    assert (await pipelines.get(caller, TARGET, 0)).config.version == 1
    assert (await pipelines.get_config(caller, TARGET, 0)).version == 1


async def test_what_there_is_not_is_named(pipelines: Pipelines, caller: Caller) -> None:
    await pipelines.register(caller, "", SIMPLE)

    for version, target, fault in (
        (0, TARGET, "has no live version.*gofer pipeline deploy simple"),
        (7, TARGET, "has no version 7"),
        (-1, TARGET, "has no version -1"),
        (0, UNKNOWN, "there is no pipeline 'nothing'"),
        (1, UNKNOWN, "there is no pipeline 'nothing'"),
    ):
        with pytest.raises(NotFound, match=fault):
            await pipelines.get(caller, target, version)
        with pytest.raises(NotFound, match=fault):
            await pipelines.get_config(caller, target, version)
    with pytest.raises(InvalidInput, match="pipeline_id is missing"):
        await pipelines.get(caller, Target(namespace="", pipeline=""), 0)


async def test_lists_of_what_does_not_exist_are_empty(pipelines: Pipelines, caller: Caller) -> None:
    assert (await pipelines.list(caller, "", Page())).items == ()
    assert (await pipelines.list_configs(caller, UNKNOWN, Page())).items == ()
    assert (await pipelines.list_deployments(caller, UNKNOWN, Page())).items == ()


async def test_pipelines_are_listed_by_id_descending(pipelines: Pipelines, caller: Caller) -> None:
    for name in ("aaa", "ccc", "bbb"):
        await pipelines.register(caller, "", replace(SIMPLE, id=name))

    listed = await pipelines.list(caller, "", Page())

    assert [found.id for found in listed.items] == ["ccc", "bbb", "aaa"]


# ---------------------------------------------------------------- enable and disable


async def test_disabling_and_enabling_change_the_state_and_tell_once(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], clock: FakeClock
) -> None:
    made = (await pipelines.register(caller, "", SIMPLE)).pipeline
    before = len(await last_events(database))
    await pipelines.enable(caller, TARGET)
    await clock.advance(timedelta(seconds=1))
    for _ in range(2):
        await pipelines.disable(caller, TARGET)
    disabled = (await pipelines.get(caller, TARGET, 1)).pipeline
    await clock.advance(timedelta(seconds=1))
    for _ in range(2):
        await pipelines.enable(caller, TARGET)
    enabled = (await pipelines.get(caller, TARGET, 1)).pipeline

    second = timedelta(seconds=1)
    assert disabled == replace(made, state=PipelineState.DISABLED, modified_at=made.created_at + second)
    assert enabled == replace(made, modified_at=made.created_at + 2 * second)
    assert (await last_events(database))[before:] == [
        PipelineDisabled(namespace_id=NAMESPACE, pipeline_id=PIPELINE),
        PipelineEnabled(namespace_id=NAMESPACE, pipeline_id=PIPELINE),
    ]


async def test_an_unknown_pipeline_is_neither_enabled_nor_disabled(pipelines: Pipelines, caller: Caller) -> None:
    with pytest.raises(NotFound):
        await pipelines.enable(caller, UNKNOWN)
    with pytest.raises(NotFound):
        await pipelines.disable(caller, UNKNOWN)


# ---------------------------------------------------------------- deploy


async def test_the_first_deployment_makes_the_version_live(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    before = len(await last_events(database))

    deployment = await pipelines.deploy(caller, TARGET, 1)

    assert (deployment.id, deployment.start_version, deployment.end_version) == (1, 1, 1)
    assert deployment.state is DeploymentState.SUCCEEDED
    assert await pipelines.get_deployment(caller, TARGET, 1) == deployment
    assert (await pipelines.get_config(caller, TARGET, 1)).state is ConfigState.LIVE
    assert (await last_events(database))[before:] == deployed(1, 1)


async def test_another_version_takes_the_place_of_the_live_one_and_back_again(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], clock: FakeClock
) -> None:
    for _ in range(2):
        await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)
    await clock.advance(timedelta(minutes=1))

    await pipelines.deploy(caller, TARGET, 2)

    old, new = [await pipelines.get_config(caller, TARGET, version) for version in (1, 2)]
    assert (old.state, old.deprecated_at) == (ConfigState.DEPRECATED, clock.now())
    assert (new.state, new.deprecated_at) == (ConfigState.LIVE, None)

    rollback = await pipelines.deploy(caller, TARGET, 1)

    old, new = [await pipelines.get_config(caller, TARGET, version) for version in (1, 2)]
    assert (old.state, old.deprecated_at) == (ConfigState.LIVE, None)
    assert (new.state, new.deprecated_at) == (ConfigState.DEPRECATED, clock.now())
    assert (rollback.id, rollback.start_version, rollback.end_version) == (3, 2, 1)
    listed = await pipelines.list_deployments(caller, TARGET, Page())
    assert [found.id for found in listed.items] == [3, 2, 1]
    assert (await last_events(database))[-2:] == deployed(2, 1)


async def test_deploying_the_live_version_changes_nothing_but_is_recorded(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)
    live = await pipelines.get_config(caller, TARGET, 1)

    again = await pipelines.deploy(caller, TARGET, 1)

    assert (again.id, again.start_version, again.end_version) == (2, 1, 1)
    assert await pipelines.get_config(caller, TARGET, 1) == live
    assert (await last_events(database))[-2:] == deployed(1, 1)


async def test_an_unknown_version_is_not_deployed_and_the_live_one_stays(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)
    before = await last_events(database)

    for version in (0, 2, -1):
        with pytest.raises(NotFound, match=f"has no version {version}"):
            await pipelines.deploy(caller, TARGET, version)
    with pytest.raises(NotFound, match="no pipeline 'nothing'"):
        await pipelines.deploy(caller, UNKNOWN, 1)

    assert (await pipelines.get_config(caller, TARGET, 0)).version == 1
    assert len((await pipelines.list_deployments(caller, TARGET, Page())).items) == 1
    assert await last_events(database) == before


async def test_a_deployment_that_a_crash_left_behind_blocks_others_until_the_next_start(
    pipelines: Pipelines, caller: Caller, database: Database[Unit], clock: FakeClock
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    await database.write(
        lambda unit: unit.pipelines.insert_deployment(make_deployment(1, state=DeploymentState.RUNNING, ended_at=None))
    )
    with pytest.raises(FailedPrecondition, match="deployment 1 of pipeline default/simple is under way"):
        await pipelines.deploy(caller, TARGET, 1)

    assert await pipelines.fail_running_deployments() == 1

    left = await pipelines.get_deployment(caller, TARGET, 1)
    assert (left.state, left.ended_at) == (DeploymentState.FAILED, clock.now())
    assert "deploy the version again" in left.reason
    assert (await pipelines.deploy(caller, TARGET, 1)).id == 2
    assert await pipelines.fail_running_deployments() == 0


async def test_an_unknown_deployment_is_named(pipelines: Pipelines, caller: Caller) -> None:
    with pytest.raises(NotFound, match="no deployment 7"):
        await pipelines.get_deployment(caller, TARGET, DeploymentId(7))
    with pytest.raises(InvalidInput, match="id is missing"):
        await pipelines.get_deployment(caller, TARGET, DeploymentId(0))


async def test_a_deployment_touches_no_other_pipeline(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    other = replace(SIMPLE, id=PipelineId("other"))
    await pipelines.register(caller, "", SIMPLE)
    await pipelines.register(caller, "", other)

    await pipelines.deploy(caller, TARGET, 1)

    with pytest.raises(NotFound, match="no live version"):
        await pipelines.get(caller, Target(namespace="", pipeline="other"), 0)


async def test_a_plan_is_refused_where_registering_would_be(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    await database.write(lambda unit: unit.removal.mark_pipeline(KEY, unit.now))

    with pytest.raises(FailedPrecondition, match="is being deleted"):
        await pipelines.plan(caller, "", SIMPLE)
