"""Any request at all, to every call of a real server: refused or answered, but no fault of its own, and nothing told.

At length: `./dev fuzz`.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import betterproto2
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from h2.exceptions import StreamClosedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gofer.api.composite import Rpc
from gofer_sdk._proto import proto
from tests.fakes.messages import messages
from tests.service.secured import Secured, bearer
from tests.service.wire import config

pytestmark = pytest.mark.timeout(60)  # each example is a call of a server

SECRET: Final = "a-secret-of-the-fuzz-4711"
MARK: Final = "what only the namespace default may see"
PATIENCE_SECONDS: Final = 0.3  # of a stream that has nothing to tell
OWN_FAULTS: Final = {Status.INTERNAL, Status.UNKNOWN, Status.DATA_LOSS}
MAY_TELL: Final = {"GetPipelineSecret", "GetGlobalSecret"}
WORDS: Final = (
    "",
    "default",
    "simple",
    "hello",
    "team_a",
    "known",
    "1",
    "24h",
    "*",
    "../../../etc/passwd",
    "' OR '1'='1",
    "pipeline_secret{{known}}",
    "RUN_STARTED",
    "\x00",
    "\ud7ff\U0010ffff",
    "x" * 5000,
)
HALF_AS_MANY: Final = settings(
    max_examples=max(settings.default.max_examples // 2, 1) if settings.default else 30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXTS: Final = st.sampled_from(WORDS) | st.text(max_size=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of a call: its status, and all that it told."""

    status: Status
    told: str


async def ask(it: Secured, rpc: Rpc, request: betterproto2.Message, token: str) -> Asked:
    """Make a call and take its first reply, if one comes soon."""
    told: list[object] = []
    try:
        await _first_reply(it, rpc, request, token, told)
    except GRPCError as error:
        return Asked(status=error.status, told=f"{error.message} {error.details}")
    except TimeoutError:
        return Asked(status=Status.OK, told="")
    return Asked(status=Status.OK, told=repr(told))


async def _first_reply(it: Secured, rpc: Rpc, request: betterproto2.Message, token: str, told: list[object]) -> None:
    call = it.channel.request(rpc.path, rpc.cardinality, rpc.request_type, rpc.reply_type, metadata=bearer(token))
    async with call as stream:
        await stream.send_message(request, end=True)
        if not rpc.cardinality.server_streaming:
            told.append(await stream.recv_message())
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                told.append(await stream.recv_message())
        finally:
            with suppress(StreamClosedError):  # it may have ended by now
                await stream.cancel()


@pytest.fixture
async def it(guarded: Secured) -> Secured:
    """A server with a namespace, a pipeline that runs, and a secret."""
    await guarded.with_namespaces("team_a")
    admin = guarded.admin
    described = config()
    described.description = described.tasks[0].description = MARK
    described.tasks[0].variables = {"MARK": MARK}
    await admin.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=described))
    await admin.deploy_pipeline(proto.DeployPipelineRequest(id="simple", version=1))
    initiator = proto.Initiator(type=proto.InitiatorType.HUMAN, name=MARK)
    await admin.start_run(proto.StartRunRequest(pipeline_id="simple", initiator=initiator, variables={"KEY": MARK}))
    await admin.put_pipeline_secret(proto.PutPipelineSecretRequest(pipeline_id="simple", key="known", content=SECRET))
    return guarded


@pytest.mark.fuzz
@HALF_AS_MANY
@given(data=st.data())
async def test_no_request_is_a_fault_of_the_server_or_makes_it_tell_a_secret(it: Secured, data: st.DataObject) -> None:
    rpc = data.draw(st.sampled_from(it.app.server.gateway.rpcs), label="rpc")
    request = data.draw(messages(rpc.request_type, TEXTS), label="request")

    asked = await ask(it, rpc, request, it.management)

    assert asked.status not in OWN_FAULTS, asked
    assert rpc.path.rpartition("/")[2] in MAY_TELL or SECRET not in asked.told
    assert it.management not in asked.told
    assert (await it.admin.get_system_info(proto.GetSystemInfoRequest())).semver


@pytest.mark.fuzz
@HALF_AS_MANY
@given(data=st.data())
async def test_no_request_opens_more_than_its_token_does(it: Secured, data: st.DataObject) -> None:
    client, _ = await it.make("team_a")
    rpc = data.draw(st.sampled_from(it.app.server.gateway.rpcs), label="rpc")
    request = data.draw(messages(rpc.request_type, TEXTS), label="request")

    asked = await ask(it, rpc, request, client)

    assert asked.status not in OWN_FAULTS, asked
    assert SECRET not in asked.told
    assert MARK not in asked.told
