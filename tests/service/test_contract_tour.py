"""A scripted tour of every RPC of 0.6 that is served, by a client of the 0.6 contract against a production server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import grpc  # type: ignore[import-untyped]  # it comes without types
import pytest

from gofer.app import App, running_app
from gofer.clock import SystemClock
from gofer.config.check import why_not_startable
from gofer.config.settings import DevelopmentSettings, SchedulerSettings, Settings
from gofer.tls import make_certificate
from tests.service.contract_client import EXTENSION_RPCS, FIELDS, RPCS, ContractClient, first_of, has_all, refusal
from tests.service.contract_runs import (
    AT,
    EVERY_BYTE,
    SECRET,
    attach_and_cancel,
    initiator,
    keep_run_objects,
    look_at_the_tasks,
    run_to_the_end,
    start_again,
)

KEY = "0123456789abcdef0123456789abcdef"
SERVED, NOT_YET = 57, 14
SCRIPT = 'test -n "$HOLD" && exec sleep 1000; echo "the secret is $OWN, the other $SHARED"; printf "%s\\n" "$WORD"'
PIPELINE = {"namespace_id": "team", "id": "simple"}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """As an administrator sets a production server up: an own certificate, an own key, tokens."""
    made = make_certificate(("localhost", "127.0.0.1"), now=SystemClock().now())
    begin = made.index(b"-----BEGIN PRIVATE KEY")
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    certificate.write_bytes(made[:begin])
    key.write_bytes(made[begin:])
    sqlite = replace(settings.secret_store.sqlite, encryption_key=KEY)
    return replace(
        settings,
        dev_mode=False,
        development=DevelopmentSettings(),
        scheduler=SchedulerSettings(engine="process"),
        secret_store=replace(settings.secret_store, sqlite=sqlite),
        server=replace(settings.server, tls_cert_path=str(certificate), tls_key_path=str(key)),
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    assert why_not_startable(settings) == ()
    async with running_app(settings) as running:
        yield running


@pytest.fixture
async def stranger(app: App, modules: tuple[ModuleType, ModuleType]) -> AsyncIterator[ContractClient]:
    """A client without a token."""
    certificate = await asyncio.to_thread(Path(app.settings.server.tls_cert_path).read_bytes)
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate)
    async with grpc.aio.secure_channel(f"localhost:{app.server.port}", credentials) as channel:
        yield ContractClient(messages=modules[0], stub=modules[1].GoferStub(channel))


async def take_the_first_token(stranger: ContractClient) -> ContractClient:
    info = await stranger.call("GetSystemInfo")
    refused = await stranger.refused("ListNamespaces")
    made = await stranger.call("BootstrapToken")
    again = await stranger.refused("BootstrapToken")

    assert info.semver
    assert refused[0] == "UNAUTHENTICATED"
    assert len(bytes.fromhex(made.token)) == 32
    assert made.details.kind == stranger.messages.Token.MANAGEMENT
    assert dict(made.details.metadata) == {"bootstrap_token": "true"}
    assert again[0] == "FAILED_PRECONDITION"
    return stranger.of(made.token)


async def make_a_namespace(admin: ContractClient) -> None:
    made = await admin.call("CreateNamespace", id="team", name="Team", description="ours")
    await admin.call("UpdateNamespace", id="team", name="The team", description="all of ours")
    found = (await admin.call("GetNamespace", id="team")).namespace
    listed = await admin.call("ListNamespaces", offset=0, limit=10)

    assert (made.namespace.id, made.namespace.name, made.namespace.description) == ("team", "Team", "ours")
    assert (found.id, found.name, found.description) == ("team", "The team", "all of ours")
    assert found.modified >= found.created == made.namespace.created > 0
    assert {each.id for each in listed.namespaces} == {"default", "team"}


async def make_a_token(admin: ContractClient) -> ContractClient:
    made = await admin.call(
        "CreateToken",
        kind=admin.messages.CreateTokenRequest.CLIENT,
        namespaces=["team"],
        metadata={"for": "ci"},
        expires="24h",
    )
    client = admin.of(made.token)
    found = await client.call("GetToken", token=made.token)
    listed = await client.call("ListTokens", namespace="team")
    await admin.call("DisableToken", token=made.token)
    disabled = await client.refused("ListPipelines", namespace_id="team")
    await admin.call("EnableToken", token=made.token)
    enabled = await client.call("ListPipelines", namespace_id="team")
    elsewhere = await client.refused("ListPipelines", namespace_id="default")

    details = made.details
    assert (details.kind, list(details.namespaces)) == (admin.messages.Token.CLIENT, ["team"])
    assert (dict(details.metadata), details.disabled) == ({"for": "ci"}, False)
    assert details.expires - details.created == 24 * 60 * 60 * 1000
    assert [each.created for each in listed.tokens] == [found.details.created] == [details.created]
    assert disabled[0] == "UNAUTHENTICATED"
    assert list(enabled.pipelines) == []
    assert elsewhere[0] == "PERMISSION_DENIED"
    return client


def config(client: ContractClient) -> object:
    task = client.messages.UserPipelineTaskConfig
    references = {"OWN": "secret{{db}}", "SHARED": "global_secret{{shared}}", "WORD": "pipeline_object{{word}}"}
    return client.messages.UserPipelineConfig(
        id="simple",
        name="Simple",
        description="Of two tasks.",
        tasks=[
            task(
                id="first",
                image="busybox",
                command=["/bin/sh", "-c", SCRIPT],
                variables=references,
                inject_api_token=True,
            ),
            task(id="second", image="busybox", command=["/bin/true"], depends_on={"first": task.SUCCESS}),
        ],
    )


async def register_and_deploy(client: ContractClient) -> None:
    messages = client.messages
    register = {"namespace_id": "team", "pipeline_config": config(client)}
    registered = (await client.call("RegisterPipelineConfig", **register)).pipeline
    deployed = await client.call("DeployPipeline", **PIPELINE, version=registered.config.version)
    found = (await client.call("GetPipeline", **PIPELINE)).pipeline
    listed = await client.call("ListPipelines", namespace_id="team")
    own = await client.call("ListPipelines")
    deployment = (await client.call("GetDeployment", **AT, id=deployed.deployment_id)).deployment
    deployments = (await client.call("ListDeployments", **AT)).Deployments

    assert has_all(registered, ("metadata", "config"))
    assert has_all(found, ("metadata", "config"))
    assert (registered.config.version, registered.config.state) == (1, messages.PipelineConfig.UNRELEASED)
    assert (found.config.version, found.config.state) == (1, messages.PipelineConfig.LIVE)
    assert (found.metadata.namespace, found.metadata.id) == ("team", "simple")
    assert found.metadata.state == messages.PipelineMetadata.ACTIVE
    assert sorted(found.config.tasks) == ["first", "second"]
    assert dict(found.config.tasks["second"].depends_on) == {"first": messages.Task.SUCCESS}
    assert list(found.config.tasks["first"].command) == ["/bin/sh", "-c", SCRIPT]
    assert [each.id for each in listed.pipelines] == [each.id for each in own.pipelines] == ["simple"]
    assert (deployment.id, deployment.start_version, deployment.end_version) == (deployed.deployment_id, 1, 1)
    assert deployment.state == messages.Deployment.COMPLETE
    assert deployment.status == messages.Deployment.SUCCESSFUL
    assert deployment.HasField("status_reason")
    assert [each.id for each in deployments] == [deployed.deployment_id]


async def keep_versions(client: ContractClient) -> None:
    """Register another version and delete it, and switch the pipeline off and on."""
    register = {"namespace_id": "team", "pipeline_config": config(client)}
    second = (await client.call("RegisterPipelineConfig", **register)).pipeline.config.version
    versions = (await client.call("ListPipelineConfigs", **AT)).configs
    found = (await client.call("GetPipelineConfig", **AT, version=second)).config
    live = await client.refused("DeletePipelineConfig", **AT, version=1)
    await client.call("DeletePipelineConfig", **AT, version=second)
    left = (await client.call("ListPipelineConfigs", **AT)).configs
    await client.call("DisablePipeline", **PIPELINE)
    disabled = (await client.call("GetPipeline", **PIPELINE)).pipeline.metadata
    refused = await client.refused("StartRun", **AT, initiator=initiator(client))
    await client.call("EnablePipeline", **PIPELINE)

    assert sorted(each.version for each in versions) == [1, 2]
    assert (found.version, found.name, sorted(found.tasks)) == (2, "Simple", ["first", "second"])
    assert live[0] == "FAILED_PRECONDITION"
    assert [each.version for each in left] == [1]
    assert disabled.state == client.messages.PipelineMetadata.DISABLED
    assert refused[0] == "FAILED_PRECONDITION"


async def keep_secrets(admin: ContractClient, client: ContractClient) -> None:
    put = await client.call("PutPipelineSecret", **AT, key="db", content=SECRET)
    again = await client.refused("PutPipelineSecret", **AT, key="db", content="another", force=False)
    hidden = await client.call("GetPipelineSecret", **AT, key="db")
    shown = await client.call("GetPipelineSecret", **AT, key="db", include_secret=True)
    listed = (await client.call("ListPipelineSecrets", **AT)).keys
    put_global = await admin.call("PutGlobalSecret", key="shared", content=SECRET[::-1], namespaces=["team"])
    theirs = await client.refused("GetGlobalSecret", key="shared", include_secret=True)
    shown_global = await admin.call("GetGlobalSecret", key="shared", include_secret=True)
    listed_global = (await admin.call("ListGlobalSecrets")).keys

    assert put.bytes == put_global.bytes == len(SECRET)
    assert again[0] == "ALREADY_EXISTS"
    assert (hidden.metadata.key, hidden.secret) == ("db", "")
    assert (shown.metadata.key, shown.secret) == ("db", SECRET)
    assert [each.key for each in listed] == ["db"]
    assert listed[0].created == shown.metadata.created > 0
    assert theirs[0] == "PERMISSION_DENIED"
    assert shown_global.secret == SECRET[::-1]
    assert [(each.key, list(each.namespaces)) for each in listed_global] == [("shared", ["team"])]


async def keep_objects(client: ContractClient) -> None:
    put = await client.call("PutPipelineObject", **AT, key="bytes", content=EVERY_BYTE)
    await client.call("PutPipelineObject", **AT, key="word", content=b"old")
    again = await client.refused("PutPipelineObject", **AT, key="word", content=b"a word")
    await client.call("PutPipelineObject", **AT, key="word", content=b"a word", force=True)
    listed = (await client.call("ListPipelineObjects", **AT)).keys
    found = await client.call("GetPipelineObject", **AT, key="bytes")

    assert (put.bytes, put.object_limit, put.object_evicted) == (256, 50, "")
    assert again[0] == "ALREADY_EXISTS"
    assert sorted(each.key for each in listed) == ["bytes", "word"]
    assert all(each.created > 0 for each in listed)
    assert found.content == EVERY_BYTE


async def look_at_the_events(client: ContractClient) -> None:
    events = [reply.event for reply in await client.read("ListEvents")]
    reverse = [reply.event for reply in await client.read("ListEvents", reverse=True)]
    found = (await client.call("GetEvent", id=events[-1].id)).event

    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert [event.id for event in reverse] == ids[::-1]
    assert found == events[-1]
    assert found.emitted > 0
    kinds = [event.type for event in events]
    order = ["NAMESPACE_CREATED", "PIPELINE_REGISTERED", "PIPELINE_DEPLOY_COMPLETED", "RUN_STARTED", "RUN_COMPLETED"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)


async def delete_everything(admin: ContractClient, client: ContractClient) -> None:
    for key in ("bytes", "word"):
        await client.call("DeletePipelineObject", **AT, key=key)
    await client.call("DeletePipelineSecret", **AT, key="db")
    await admin.call("DeleteGlobalSecret", key="shared")
    objects = (await client.call("ListPipelineObjects", **AT)).keys
    secrets = (await client.call("ListPipelineSecrets", **AT)).keys
    shared = (await admin.call("ListGlobalSecrets")).keys
    await client.call("DeletePipeline", **PIPELINE)
    pipeline = await client.refused("GetPipeline", **PIPELINE)
    await admin.call("DeleteNamespace", id="team")
    namespaces = await admin.call("ListNamespaces")
    await admin.call("DeleteToken", token=client.token)
    revoked = await client.refused("ListNamespaces")

    assert (list(objects), list(secrets), list(shared)) == ([], [], [])
    assert pipeline[0] == "NOT_FOUND"
    assert [each.id for each in namespaces.namespaces] == ["default"]
    assert revoked[0] == "UNAUTHENTICATED"


async def test_a_client_of_0_6_finds_every_rpc_that_is_served_as_it_knows_it(stranger: ContractClient) -> None:
    admin = await take_the_first_token(stranger)
    await make_a_namespace(admin)
    client = await make_a_token(admin)
    await register_and_deploy(client)
    await keep_versions(client)
    await keep_secrets(admin, client)
    await keep_objects(client)
    await run_to_the_end(client)
    await look_at_the_tasks(client)
    await keep_run_objects(client)
    await attach_and_cancel(client)
    await start_again(admin, client)
    await look_at_the_events(client)
    await delete_everything(admin, client)

    assert stranger.answered == RPCS.keys() - EXTENSION_RPCS
    assert (len(stranger.answered), len(EXTENSION_RPCS)) == (SERVED, NOT_YET)


async def test_the_rpcs_about_extensions_say_that_they_are_not_served(stranger: ContractClient) -> None:
    admin = await take_the_first_token(stranger)

    for name in sorted(EXTENSION_RPCS):
        given = {"namespace_id": "default", "pipeline_id": "simple"}
        fields = {key: value for key, value in given.items() if key in FIELDS[RPCS[name]["request"]]}
        call = admin.open(name, **fields)
        status, words = await refusal(first_of(call) if RPCS[name]["server_streaming"] else call)

        assert status == "UNIMPLEMENTED", name
        assert name in words
