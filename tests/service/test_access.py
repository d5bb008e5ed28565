"""Every RPC, asked with every kind of token: what it answers, and that what is refused changes nothing."""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import betterproto2
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from h2.exceptions import StreamClosedError

from gofer.api.composite import Rpc
from gofer.api.rules import API, HEALTH, RULES, Needs, Rule
from gofer.core.access import TokenKind
from gofer_sdk._proto import proto
from tests.service.secured import Secured, bearer
from tests.service.wire import config

TEAM = "team_a"
PIPELINE = "simple"
REFUSED = {Status.UNAUTHENTICATED, Status.PERMISSION_DENIED}
ANSWERED = "answered"  # with whatever, but for those
EXPIRED = "e" * 64
PARTS: dict[str, type[betterproto2.Message]] = {
    "init": proto.AttachToTaskRunInit,
    "object": proto.ObjectName,
    "pipeline_config": proto.UserPipelineConfig,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody who calls every RPC, and what those with each need answer them."""

    name: str
    metadata: dict[str, str]
    open: Status | str = ANSWERED
    token: Status | str = Status.UNAUTHENTICATED
    namespace: Status | str = Status.UNAUTHENTICATED
    management: Status | str = Status.UNAUTHENTICATED

    def expected(self, needs: Needs) -> Status | str:
        return {
            Needs.NOTHING: self.open,
            Needs.TOKEN: self.token,
            Needs.NAMESPACE: self.namespace,
            Needs.MANAGEMENT: self.management,
        }[needs]


def part_of(rule: Rule, request: betterproto2.Message, field: str) -> tuple[betterproto2.Message, str]:
    """Give the message that holds a field of the request, made where it is not there, and the field's own name."""
    *within, name = ([rule.within] if rule.within else []) + field.split(".")
    for each in within:
        if getattr(request, each) is None:
            setattr(request, each, PARTS[each]())
        request = getattr(request, each)
    return request, name


def request_for(rpc: Rpc, *, namespace: str = TEAM, pipeline: str = PIPELINE) -> betterproto2.Message:
    """Make a request about a pipeline that is there."""
    rule = RULES[rpc.path]
    request = rpc.request_type()
    if rule.needs is Needs.NAMESPACE:
        holder, name = part_of(rule, request, rule.namespace)
        setattr(holder, name, namespace)
        if rule.pipeline:
            holder, name = part_of(rule, request, rule.pipeline)
            setattr(holder, name, pipeline)
    return request


async def ask(it: Secured, rpc: Rpc, request: betterproto2.Message, metadata: dict[str, str]) -> Status:
    """Make the call, and take one reply."""
    try:
        await _first_reply(it, rpc, request, metadata)
    except GRPCError as error:
        return error.status
    return Status.OK


async def _first_reply(it: Secured, rpc: Rpc, request: betterproto2.Message, metadata: dict[str, str]) -> None:
    call = it.channel.request(rpc.path, rpc.cardinality, rpc.request_type, rpc.reply_type, metadata=metadata)
    async with call as stream:
        await stream.send_message(request, end=True)
        if await stream.recv_message() is not None and rpc.cardinality.server_streaming:
            with suppress(StreamClosedError):  # it may have ended by now
                await stream.cancel()


def stored(it: Secured) -> list[str]:
    connection = sqlite3.connect(it.app.settings.server.storage_path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.fixture
async def it(guarded: Secured) -> Secured:
    """A server with three namespaces, in one of which there is a pipeline."""
    await guarded.with_namespaces(TEAM, "team_attacker", "ops")
    await guarded.admin.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(namespace_id=TEAM, pipeline_config=config())
    )
    return guarded


async def strangers(it: Secured) -> list[Asker]:
    disabled, name = await it.make(kind=proto.CreateTokenRequestKind.MANAGEMENT)
    await it.admin.disable_token(proto.DisableTokenRequest(id=name))
    await it.store(EXPIRED, kind=TokenKind.MANAGEMENT, life=timedelta(seconds=-1))
    return [
        Asker(name="none", metadata={}),
        Asker(name="empty", metadata=bearer("")),
        Asker(name="malformed", metadata={"authorization": f"Basic {it.management}"}),
        Asker(name="nothing", metadata={"authorization": "Bearer nothing"}),
        Asker(name="without a scheme", metadata={"authorization": it.management}),
        Asker(name="the hash", metadata=bearer("f" * 64)),
        Asker(name="unknown", metadata=bearer("0" * 64)),
        Asker(name="expired", metadata=bearer(EXPIRED)),
        Asker(name="disabled", metadata=bearer(disabled)),
    ]


async def clients(it: Secured) -> list[Asker]:
    denied = Status.PERMISSION_DENIED
    askers = []
    for name, *namespaces in (
        ("client of another namespace", "ops"),
        ("client of one whose id begins so", "team_attacker"),
        ("client of none",),
    ):
        text, _ = await it.make(*namespaces)
        askers.append(Asker(name=name, metadata=bearer(text), token=ANSWERED, namespace=denied, management=denied))
    for name, *namespaces in (("client by pattern", "ops", "team_?"), ("client", "default", TEAM)):
        text, _ = await it.make(*namespaces)
        askers.append(Asker(name=name, metadata=bearer(text), token=ANSWERED, namespace=ANSWERED, management=denied))
    return askers


async def walk(it: Secured, askers: list[Asker], *, only_refusals: bool) -> list[str]:
    """Ask every RPC as everybody; give what was answered otherwise than it should be."""
    wrong = []
    for rpc in it.app.server.gateway.rpcs:
        for asker in askers:
            expected = asker.expected(RULES[rpc.path].needs)
            if only_refusals is (expected is ANSWERED):
                continue
            status = await ask(it, rpc, request_for(rpc), asker.metadata)
            if status in REFUSED if expected is ANSWERED else status is not expected:
                wrong.append(f"{rpc.path} as {asker.name}: {status.name}")
    return wrong


@pytest.mark.timeout(60)  # some six hundred calls
async def test_what_a_token_does_not_open_is_refused_everywhere_and_nothing_changes(it: Secured) -> None:
    askers = [*await strangers(it), *await clients(it)]
    before = stored(it)

    assert [] == await walk(it, askers, only_refusals=True)
    assert before == stored(it)


@pytest.mark.timeout(60)  # as above
async def test_what_a_token_opens_is_answered_everywhere(it: Secured) -> None:
    askers = [*await strangers(it), *await clients(it)]
    admin = Asker(
        name="management",
        metadata=bearer(it.management),
        token=ANSWERED,
        namespace=ANSWERED,
        management=ANSWERED,
    )

    assert [] == await walk(it, [*askers, admin], only_refusals=False)


async def test_no_call_but_four_answers_without_a_token(it: Secured) -> None:
    answered = [
        rpc.path
        for rpc in it.app.server.gateway.rpcs
        if await ask(it, rpc, request_for(rpc), {}) is not Status.UNAUTHENTICATED
    ]

    assert {f"{API}GetSystemInfo", f"{API}BootstrapToken", f"{HEALTH}Check", f"{HEALTH}Watch"} == set(answered)
