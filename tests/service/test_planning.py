"""What registering would come to: the version that says the same already, or the one to be."""

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from tests.service.wire import config, deploy, kinds, register, task


async def ask(
    stub: proto.GoferStub, *tasks: proto.UserPipelineTaskConfig, dry_run: bool = False
) -> tuple[bool, int, list[str]]:
    reply = await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(pipeline_config=config(*tasks), unless_same=not dry_run, dry_run=dry_run)
    )
    assert reply.pipeline is not None
    assert reply.pipeline.config is not None
    return reply.same, reply.pipeline.config.version, reply.changed_passwords


def with_password(password: str, *, user: str = "me") -> proto.UserPipelineTaskConfig:
    found = task("one")
    found.registry_auth = proto.RegistryAuth(user=user, pass_=password)
    return found


async def test_what_the_live_version_says_already_is_not_stored_again(stub: proto.GoferStub) -> None:
    await register(stub, task("one"), task("two", "one"))
    await deploy(stub, 1)
    before = await kinds(stub)

    assert await ask(stub, task("two", "one"), task("one")) == (True, 1, [])
    assert await kinds(stub) == before


async def test_the_live_version_goes_before_the_newest_one(stub: proto.GoferStub) -> None:
    await register(stub, task("one"))
    await register(stub, task("two"))
    await deploy(stub, 1)

    assert await ask(stub, task("one")) == (True, 1, [])
    assert await ask(stub, task("two")) == (True, 2, [])


async def test_what_only_an_older_version_says_is_stored_again(stub: proto.GoferStub) -> None:
    await register(stub, task("one"))
    await register(stub, task("two"))

    assert await ask(stub, task("one")) == (False, 3, [])
    assert await ask(stub, task("one")) == (True, 3, [])


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"description": "other"},
        {"command": ["other"]},
        {"entrypoint": ["other"]},
        {"variables": {"KEY": "other"}},
        {"inject_api_token": True},
        {"timeout": "1h"},
        {"depends_on": {"two": proto.UserPipelineTaskConfigRequiredParentStatus.ANY}},
        {"registry_auth": proto.RegistryAuth(user="me", pass_="x")},
    ],
)
async def test_every_field_of_a_task_counts(stub: proto.GoferStub, change: dict[str, object]) -> None:
    await register(stub, task("one"), task("two"))
    other = task("one")
    for name, value in change.items():
        setattr(other, name, value)

    assert await ask(stub, task("two"), task("one")) == (True, 1, [])
    assert await ask(stub, other, task("two")) == (False, 2, [])


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"description": "other"}, {"parallelism": 7}, {"run_timeout": "1h"}]
)
async def test_every_field_of_a_pipeline_counts(stub: proto.GoferStub, change: dict[str, object]) -> None:
    await register(stub, task("one"))
    other = config(task("one"))
    for name, value in change.items():
        setattr(other, name, value)

    reply = await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(pipeline_config=other, unless_same=True)
    )

    assert not reply.same


async def test_a_password_is_compared_though_no_reply_shows_it(stub: proto.GoferStub) -> None:
    await register(stub, with_password("hunter22"))
    await deploy(stub, 1)

    assert await ask(stub, with_password("hunter22")) == (True, 1, [])
    assert await ask(stub, with_password("hunter23"), dry_run=True) == (False, 2, ["one"])
    assert await ask(stub, with_password("hunter22", user="you"), dry_run=True) == (False, 2, [])


async def test_a_dry_run_stores_nothing_and_says_what_would_be(stub: proto.GoferStub) -> None:
    assert await ask(stub, task("one"), dry_run=True) == (False, 1, [])

    assert (await stub.list_pipelines(proto.ListPipelinesRequest())).pipelines == []
    assert await kinds(stub) == ["NAMESPACE_CREATED"]


async def test_a_dry_run_refuses_what_registering_would_refuse(stub: proto.GoferStub) -> None:
    with pytest.raises(GRPCError, match="'x' is too short") as refused:
        await ask(stub, task("x"), dry_run=True)

    assert refused.value.status is Status.INVALID_ARGUMENT


async def test_without_being_asked_the_same_is_stored_again(stub: proto.GoferStub) -> None:
    await register(stub, task("one"))

    again = await register(stub, task("one"))

    assert again.config is not None
    assert again.config.version == 2
