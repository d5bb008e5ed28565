from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gofer.api.convert.namespaces import namespace_draft_of, namespace_to_proto
from gofer.api.convert.pipelines import (
    CONFIG_STATES,
    DEPLOYMENT_STATES,
    PIPELINE_STATES,
    REQUIREMENTS,
    config_draft_of,
    config_to_proto,
    deployment_to_proto,
    pipeline_to_proto,
    task_to_proto,
)
from gofer.core.ids import TaskId, Version
from gofer.core.pipeline import ConfigState, DeploymentState, PipelineState, RegistryAuth, Requirement
from gofer.core.times import to_ms
from gofer.services.namespaces import NamespaceDraft
from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.factories import NOW, make_config, make_deployment, make_namespace, make_pipeline, make_task

TEXT = st.text(max_size=10)
TASK_DRAFTS = st.builds(
    TaskDraft,
    id=TEXT,
    image=TEXT,
    description=TEXT,
    depends_on=st.dictionaries(TEXT, st.integers(0, 9), max_size=3),
    variables=st.dictionaries(TEXT, TEXT, max_size=3),
    entrypoint=st.lists(TEXT, max_size=3).map(tuple),
    command=st.lists(TEXT, max_size=3).map(tuple),
    registry_user=TEXT,
    registry_password=TEXT,
    inject_api_token=st.booleans(),
    timeout=TEXT,
)
CONFIG_DRAFTS = st.builds(
    ConfigDraft,
    id=TEXT,
    name=TEXT,
    description=TEXT,
    parallelism=st.integers(-(2**63), 2**63 - 1),
    tasks=st.lists(TASK_DRAFTS, max_size=3).map(tuple),
    run_timeout=TEXT,
)


def message_of(draft: ConfigDraft) -> proto.UserPipelineConfig:
    """Do what a pipeline program does."""
    status = proto.UserPipelineTaskConfigRequiredParentStatus
    return proto.UserPipelineConfig(
        id=draft.id,
        name=draft.name,
        description=draft.description,
        parallelism=draft.parallelism,
        run_timeout=draft.run_timeout,
        tasks=[
            proto.UserPipelineTaskConfig(
                id=task.id,
                description=task.description,
                image=task.image,
                registry_auth=proto.RegistryAuth(user=task.registry_user, pass_=task.registry_password),
                depends_on={parent: status(int(wanted)) for parent, wanted in task.depends_on.items()},
                variables=dict(task.variables),
                entrypoint=list(task.entrypoint),
                command=list(task.command),
                inject_api_token=task.inject_api_token,
                timeout=task.timeout,
            )
            for task in draft.tasks
        ],
    )


@given(CONFIG_DRAFTS)
def test_a_config_is_read_as_its_author_wrote_it(draft: ConfigDraft) -> None:
    assert config_draft_of(decode(proto.UserPipelineConfig, encode(message_of(draft)))) == draft


def test_a_task_without_registry_credentials_has_none() -> None:
    (task,) = config_draft_of(proto.UserPipelineConfig(tasks=[proto.UserPipelineTaskConfig(id="one")])).tasks

    assert (task.registry_user, task.registry_password) == ("", "")


def test_every_state_has_a_word_on_the_wire() -> None:
    assert set(PIPELINE_STATES) == set(PipelineState)
    assert set(CONFIG_STATES) == set(ConfigState)
    assert set(REQUIREMENTS) == set(Requirement)
    assert set(DEPLOYMENT_STATES) == set(DeploymentState)
    for table in (PIPELINE_STATES, CONFIG_STATES, REQUIREMENTS):
        assert {ours.name: wire.name for ours, wire in table.items()} == {ours.name: ours.name for ours in table}


def test_a_pipeline_goes_out_with_metadata_and_config() -> None:
    config = make_config(2, state=ConfigState.LIVE, parallelism=3, description="words", deprecated_at=NOW)

    message = proto.Pipeline(metadata=pipeline_to_proto(make_pipeline()), config=config_to_proto(config))

    assert message == proto.Pipeline(
        metadata=proto.PipelineMetadata(
            namespace="default",
            id="simple",
            created=to_ms(NOW),
            modified=to_ms(NOW),
            state=proto.PipelineMetadataPipelineState.ACTIVE,
        ),
        config=proto.PipelineConfig(
            namespace="default",
            pipeline="simple",
            version=2,
            parallelism=3,
            name="Simple",
            description="words",
            tasks={"hello": task_to_proto(make_task())},
            state=proto.PipelineConfigPipelineConfigState.LIVE,
            registered=to_ms(NOW),
            deprecated=to_ms(NOW),
        ),
    )
    assert decode(proto.Pipeline, encode(message)) == message


def test_a_version_that_was_never_replaced_has_no_time_of_it() -> None:
    assert config_to_proto(make_config()).deprecated == 0


def test_a_task_goes_out_with_its_password_masked() -> None:
    task = make_task(
        description="words",
        registry_auth=RegistryAuth(user="me", sealed_password=b"sealed"),
        depends_on={TaskId("one"): Requirement.ANY, TaskId("two"): Requirement.FAILURE},
        variables={"KEY": "secret{{k}}"},
        entrypoint=("sh",),
        command=("-c", "true"),
        inject_api_token=True,
        timeout=timedelta(minutes=90),
    )

    message = task_to_proto(task)

    assert message == proto.Task(
        id="hello",
        description="words",
        image="busybox:latest",
        registry_auth=proto.RegistryAuth(user="me", pass_="***"),
        depends_on={"one": proto.TaskRequiredParentStatus.ANY, "two": proto.TaskRequiredParentStatus.FAILURE},
        variables=[proto.Variable(key="KEY", value="secret{{k}}", source="PIPELINE_CONFIG")],
        entrypoint=["sh"],
        command=["-c", "true"],
        inject_api_token=True,
        timeout="1h30m0s",
    )
    assert decode(proto.Task, encode(message)) == message


def test_a_deployment_goes_out_as_state_and_status_and_always_with_a_reason() -> None:
    deployment = make_deployment(3, start_version=Version(1), end_version=Version(2))
    state, status = proto.DeploymentDeploymentState, proto.DeploymentDeploymentStatus

    done = deployment_to_proto(deployment)
    failed = deployment_to_proto(replace(deployment, state=DeploymentState.FAILED, reason="words"))
    running = deployment_to_proto(replace(deployment, state=DeploymentState.RUNNING, ended_at=None))

    assert done == proto.Deployment(
        namespace="default",
        pipeline="simple",
        id=3,
        start_version=1,
        end_version=2,
        started=to_ms(NOW),
        ended=to_ms(NOW),
        state=state.COMPLETE,
        status=status.SUCCESSFUL,
        status_reason=proto.DeploymentStatusReason(),
    )
    assert (failed.state, failed.status) == (state.COMPLETE, status.FAILED)
    assert failed.status_reason == proto.DeploymentStatusReason(description="words")
    assert (running.state, running.status, running.ended) == (state.RUNNING, status.DEPLOYMENT_STATUS_UNKNOWN, 0)


def test_a_namespace_goes_out_and_its_description_comes_in() -> None:
    assert namespace_to_proto(make_namespace(description="words")) == proto.Namespace(
        id="default", name="Default", description="words", created=to_ms(NOW), modified=to_ms(NOW)
    )
    for kind in (proto.CreateNamespaceRequest, proto.UpdateNamespaceRequest):
        request = kind(id="team", name="A team", description="words")
        assert namespace_draft_of(request) == NamespaceDraft(id="team", name="A team", description="words")
