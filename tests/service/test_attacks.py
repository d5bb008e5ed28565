"""Attacks that systems of this kind have fallen to, tried on a server that asks for tokens.

`docs/pages/concepts/security.md` names the test for each.
"""

import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from gofer.api.rules import RULES, Needs
from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode
from tests.fakes.messages import filled
from tests.service.secured import HOURS, Secured, bearer
from tests.service.test_access import ask
from tests.service.wire import CLI, config

pytestmark = pytest.mark.timeout(60)  # some walk over all calls

OUTSIDE: Final = "../../../../outside"
OPEN_LOOKING: Final = (
    "/grpc.health.v1.Health/CheckX",
    "/x/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Check/proto.Gofer/ListPipelines",
    "/proto.Gofer/ListPipelines/grpc.health.v1.Health/Check",
    "/proto.Gofer/ListPipelines/GetSystemInfo",
    "/proto.Gofer/GetSystemInfo/",
    "/proto.Gofer/getsysteminfo",
    "//proto.Gofer/ListPipelines",
    "/proto.Gofer/ListPipelines?/GetSystemInfo",
    "/proto.Gofer/ListPipelines%2fGetSystemInfo",
)
NEARLY_TOKENS: Final = (
    "Bearer nothing",
    "Bearer null",
    "Bearer undefined",
    "Bearer  ",
    "Bearer",
    "Bearer {token} {token}",
    "Bearer {token},Bearer {token}",
    "Token {token}",
    "{token}",
    "Basic {token}",
    "Bearer {upper}",
    "Bearer {token}0",
    "Bearer {short}",
    "Bearer *",
    "Bearer %",
)
REFUSED: Final = {Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.UNIMPLEMENTED}


async def register(stub: proto.GoferStub, pipeline: str, namespace: str = "default") -> None:
    await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(namespace_id=namespace, pipeline_config=config(pipeline=pipeline))
    )


async def refusal(it: Secured, path: str, token: str) -> Status:
    """Make a call of an empty message and give what refuses it."""
    call = it.channel.request(
        path,
        Cardinality.UNARY_UNARY,
        proto.ListPipelinesRequest,
        proto.ListPipelinesResponse,
        metadata=bearer(token) if token else {},
    )
    try:
        async with call as stream:
            await stream.send_message(proto.ListPipelinesRequest(), end=True)
            await stream.recv_message()
    except GRPCError as error:
        return error.status
    return Status.OK


# ---------------------------------------------------------------- who may call


async def test_a_path_that_looks_like_an_open_one_opens_nothing(guarded: Secured) -> None:
    for path in OPEN_LOOKING:
        assert await refusal(guarded, path, "") is Status.UNIMPLEMENTED, path


async def test_a_thing_that_is_named_like_an_open_call_is_not_open(guarded: Secured) -> None:
    other = await guarded.client("default")
    for name in ("health", "GetSystemInfo", "BootstrapToken", "grpc"):
        await guarded.with_namespaces(name)
        await register(guarded.admin, name, namespace=name)

        with pytest.raises(GRPCError) as refused:
            await other.get_pipeline(proto.GetPipelineRequest(namespace_id=name, id=name))

        assert Status.PERMISSION_DENIED is refused.value.status


async def test_an_authorization_that_is_not_exactly_one_token_opens_nothing(guarded: Secured) -> None:
    token = guarded.management
    calls = ("/ListPipelines", "/ListEvents", "/ServerReflectionInfo", "/GetTaskRunLogs")
    asked = [rpc for rpc in guarded.app.server.gateway.rpcs if rpc.path.endswith(calls)]
    for text in NEARLY_TOKENS:
        metadata = {"authorization": text.format(token=token, upper=token.upper(), short=token[:-1])}
        for rpc in asked:
            assert Status.UNAUTHENTICATED is await ask(guarded, rpc, rpc.request_type(), metadata), (text, rpc.path)


async def test_a_token_of_an_unknown_kind_opens_nothing(guarded: Secured) -> None:
    """Another version, or somebody with access to the database, may have put it there."""
    text, name = await guarded.make("default")
    with sqlite3.connect(guarded.app.settings.server.storage_path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE tokens SET kind = 'ROOT' WHERE id = ?", (name,))
    connection.close()

    assert await refusal(guarded, "/proto.Gofer/ListPipelines", text) is not Status.OK


async def test_a_namespace_is_compared_whole(guarded: Secured) -> None:
    names = ("team_a", "team_a2", "team_attacker", "my_team_a", "Team_a")
    await guarded.with_namespaces(*names)
    for name in names:
        await register(guarded.admin, "simple", namespace=name)
    stub = await guarded.client("team_a")

    assert (await stub.list_pipelines(proto.ListPipelinesRequest(namespace_id="team_a"))).pipelines
    for name in names[1:]:
        with pytest.raises(GRPCError) as refused:
            await stub.list_pipelines(proto.ListPipelinesRequest(namespace_id=name))
        assert Status.PERMISSION_DENIED is refused.value.status


async def test_a_token_is_stored_as_a_hash_that_opens_nothing(guarded: Secured) -> None:
    with sqlite3.connect(guarded.app.settings.server.storage_path) as connection:
        (stored,) = connection.execute("SELECT hash FROM tokens").fetchone()
    connection.close()

    assert stored != guarded.management
    assert Status.UNAUTHENTICATED is await refusal(guarded, "/proto.Gofer/ListPipelines", stored)


# ---------------------------------------------------------------- what is in a request


async def test_no_text_of_a_request_is_a_path(guarded: Secured, tmp_path: Path) -> None:
    """Every field of every call, at once: nothing appears, changes or goes outside the server's own folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    for text in (OUTSIDE, str(outside / "file"), ".."):
        for rpc in guarded.app.server.gateway.rpcs:
            if RULES[rpc.path].needs is not Needs.NOTHING:
                status = await ask(guarded, rpc, filled(rpc.request_type, text), bearer(guarded.management))
                assert status not in {Status.INTERNAL, Status.UNKNOWN}, rpc.path

    assert "precious" == (outside / "file").read_text()
    assert {"data", "outside"} == {path.name for path in tmp_path.iterdir()}
    assert ["file"] == [path.name for path in outside.iterdir()]


async def test_no_text_of_a_request_is_sql(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a")
    await register(guarded.admin, "simple", namespace="team_a")
    tables, stub = tables_of(guarded), guarded.admin

    for text in ("' OR '1'='1", "x'; DROP TABLE runs; --", "simple' --"):
        for rpc in guarded.app.server.gateway.rpcs:
            if RULES[rpc.path].needs is not Needs.NOTHING:
                status = await ask(guarded, rpc, filled(rpc.request_type, text), bearer(guarded.management))
                assert status not in {Status.INTERNAL, Status.UNKNOWN}, rpc.path
        with pytest.raises(GRPCError) as refused:
            await stub.get_pipeline(proto.GetPipelineRequest(namespace_id="team_a", id=text))
        assert refused.value.status in REFUSED

    assert tables == tables_of(guarded)
    assert (await stub.list_pipelines(proto.ListPipelinesRequest(namespace_id="team_a"))).pipelines


def tables_of(it: Secured) -> list[str]:
    connection = sqlite3.connect(it.app.settings.server.storage_path)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    finally:
        connection.close()


async def test_nothing_of_a_pipeline_widens_what_its_containers_may(guarded: Secured) -> None:
    """What containers may do is the administrator's alone: a task has no field for it, and unknown ones do nothing."""
    known = {
        "id",
        "description",
        "image",
        "registry_auth",
        "depends_on",
        "variables",
        "entrypoint",
        "command",
        "inject_api_token",
        "timeout",
    }
    assert known >= {field.name for field in fields(proto.UserPipelineTaskConfig())}
    unknown = b"\xfa\x3f\x0bprivileged\x01"  # field 1023
    known_task = encode(proto.UserPipelineTaskConfig(id="hello", image="busybox"))
    task = decode(proto.UserPipelineTaskConfig, known_task + unknown)
    plain = proto.UserPipelineConfig(id="simple", name="Simple", tasks=[task])

    await guarded.admin.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=plain))
    stored = await guarded.admin.get_pipeline_config(proto.GetPipelineConfigRequest(pipeline_id="simple", version=1))

    assert "privileged" not in repr(stored)
    assert b"privileged" not in encode(stored)


async def test_a_value_with_an_at_sign_is_the_value_and_no_file(guarded: Secured, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("of the server")
    await register(guarded.admin, "simple")
    await guarded.admin.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))

    run = (
        await guarded.admin.start_run(
            proto.StartRunRequest(pipeline_id="simple", initiator=CLI, variables={"KEY": f"@{file}"})
        )
    ).run

    assert run is not None
    assert {"KEY": f"@{file}"} == {each.key: each.value for each in run.variables}


async def test_a_management_call_is_refused_to_every_client_whatever_it_names(guarded: Secured) -> None:
    """What the page on tokens says of a kind of token is what the server does."""
    for name in ("*", "default"):
        stub = await guarded.client(name)
        for call in (
            stub.create_token(proto.CreateTokenRequest(kind=proto.CreateTokenRequestKind.MANAGEMENT, expires=HOURS)),
            stub.list_global_secrets(proto.ListGlobalSecretsRequest()),
            stub.create_namespace(proto.CreateNamespaceRequest(id="mine", name="Mine")),
        ):
            with pytest.raises(GRPCError) as refused:
                await call
            assert Status.PERMISSION_DENIED is refused.value.status
