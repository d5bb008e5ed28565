"""What lists, events and the server itself show to whom."""

from datetime import timedelta

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.core.access import Token, TokenId, TokenKind, parse_patterns
from gofer.core.ids import TaskId
from gofer.sealing import hash_token
from gofer.storage.unit import Unit
from gofer_sdk._proto import proto
from tests.factories import run_key
from tests.service.secured import Secured, opened
from tests.service.wire import CLI, config, ended


async def events_of(stub: proto.GoferStub, **query: object) -> list[tuple[str, str]]:
    found = []
    async for reply in stub.list_events(proto.ListEventsRequest(**query)):  # type: ignore[arg-type]  # its own fields
        assert reply.event is not None
        found.append((reply.event.type, reply.event.details))
    return found


async def register(stub: proto.GoferStub, namespace: str, pipeline: str = "simple") -> None:
    await stub.register_pipeline_config(
        proto.RegisterPipelineConfigRequest(namespace_id=namespace, pipeline_config=config(pipeline=pipeline))
    )


async def namespaces(stub: proto.GoferStub, *, offset: int = 0) -> list[str]:
    reply = await stub.list_namespaces(proto.ListNamespacesRequest(offset=offset))
    return [found.id for found in reply.namespaces]


async def refusal(work: object) -> Status:
    with pytest.raises(GRPCError) as caught:
        await work  # type: ignore[misc]  # a call that has begun
    return caught.value.status


async def test_a_client_sees_its_own_namespaces_alone_page_by_page(guarded: Secured) -> None:
    await guarded.with_namespaces("aaa", "team_a", "team_b", "zzz")
    stub = await guarded.client("team_*", "zzz")

    first = await stub.list_namespaces(proto.ListNamespacesRequest(limit=2))
    second = await stub.list_namespaces(proto.ListNamespacesRequest(limit=2, cursor=first.next_cursor))

    assert ["team_a", "team_b"] == [found.id for found in first.namespaces]
    assert ["zzz"] == [found.id for found in second.namespaces]
    assert "" == second.next_cursor
    assert ["team_b", "zzz"] == await namespaces(stub, offset=1)
    assert [] == await namespaces(await guarded.client())
    assert ["aaa", "default", "team_a", "team_b", "zzz"] == await namespaces(guarded.admin)


@pytest.mark.parametrize("names", [("team_a",), ("team_?",), ("default", "team_a")])
async def test_events_of_what_is_closed_are_left_out_stored_and_live(guarded: Secured, names: tuple[str, ...]) -> None:
    await guarded.with_namespaces("team_a", "secret_one")
    stub = await guarded.client(*names)
    async with opened(stub.list_events(proto.ListEventsRequest(follow=True, kinds=["PIPELINE_REGISTERED"]))) as live:
        await register(guarded.admin, "secret_one")
        await register(guarded.admin, "team_a")
        followed = await anext(live)

    stored = await events_of(stub)

    assert followed.event is not None
    assert '"team_a"' in followed.event.details
    assert stored
    assert not any("secret" in details for _, details in stored)
    assert "PIPELINE_CONFIG_REGISTERED" == stored[-1][0]
    assert stored[::-1] == await events_of(stub, reverse=True)


async def test_a_limit_counts_what_is_shown(guarded: Secured) -> None:
    await guarded.with_namespaces("secret_one", "team_a", "team_b")
    stub = await guarded.client("team_?")

    assert 1 == len(await events_of(stub, limit=1))
    assert 2 == len(await events_of(stub, limit=5))


async def test_one_event_of_what_is_closed_is_as_unknown_as_any(guarded: Secured) -> None:
    await guarded.with_namespaces("secret_one")
    stub = await guarded.client("default")

    assert (await guarded.admin.get_event(proto.GetEventRequest(id=2))).event is not None
    assert Status.NOT_FOUND == await refusal(stub.get_event(proto.GetEventRequest(id=2)))
    assert Status.PERMISSION_DENIED == await refusal(events_of(stub, namespace_id="secret_one"))
    assert Status.PERMISSION_DENIED == await refusal(events_of(stub, namespace_id="not_there"))


async def test_a_request_without_a_namespace_is_about_the_tokens_own(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a")
    stub = await guarded.client("default", "team_a")
    await register(stub, "")

    listed = await guarded.admin.list_pipelines(proto.ListPipelinesRequest(namespace_id="team_a"))

    assert ["simple"] == [found.id for found in listed.pipelines]


async def test_what_is_closed_does_not_tell_whether_it_exists(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a")
    stub = await guarded.client("default")
    texts = set()
    for name in ("team_a", "team_b"):
        with pytest.raises(GRPCError) as refused:
            await stub.get_namespace(proto.GetNamespaceRequest(id=name))
        assert Status.PERMISSION_DENIED is refused.value.status
        texts.add((refused.value.message or "").replace(name, "X"))

    assert 1 == len(texts)


# ---------------------------------------------------------------- tokens of task runs


async def of_task_run(it: Secured) -> proto.GoferStub:
    """A client with the token of a task run of the pipeline `simple`."""
    for pipeline in ("simple", "other"):
        await register(it.admin, "default", pipeline)
        await it.admin.deploy_pipeline(proto.DeployPipelineRequest(id=pipeline, version=1))
    run = (await it.admin.start_run(proto.StartRunRequest(pipeline_id="simple", initiator=CLI))).run
    assert run is not None
    await ended(it.admin, run)
    text = "a" * 64

    def write(unit: Unit) -> None:
        token = Token(
            id=TokenId("aaaaaaaaaaaa"),
            kind=TokenKind.CLIENT,
            namespaces=parse_patterns(["default"]),
            created_at=unit.now,
            expires_at=unit.now + timedelta(hours=1),
            task_run=run_key(run.id).task(TaskId("hello")),
        )
        unit.tokens.insert(token, hash_token(text))

    await it.app.database.write(write)
    return it.stub(text)


async def test_the_token_of_a_task_run_opens_its_own_pipeline_and_no_other(guarded: Secured) -> None:
    stub = await of_task_run(guarded)
    own = await stub.get_pipeline(proto.GetPipelineRequest(id="simple"))
    listed = await stub.list_pipelines(proto.ListPipelinesRequest())
    events = await events_of(stub)
    me = (await stub.who_am_i(proto.WhoAmIRequest())).details

    assert own.pipeline is not None
    assert 1 == len(listed.pipelines)
    assert events
    assert all('"simple"' in details for _, details in events)
    assert me is not None
    assert ("simple", 1, "hello") == (me.pipeline_id, me.run_id, me.task_run_id)
    for call in (
        stub.get_pipeline(proto.GetPipelineRequest(id="other")),
        stub.start_run(proto.StartRunRequest(pipeline_id="other", initiator=CLI)),
        stub.get_run(proto.GetRunRequest(pipeline_id="other", id=1)),
        register(stub, "default", "another"),
        events_of(stub, namespace_id="default", pipeline_id="other"),
        stub.create_token(proto.CreateTokenRequest(expires="1h")),
    ):
        assert Status.PERMISSION_DENIED == await refusal(call)


async def test_the_token_of_a_task_run_sees_no_tokens_but_itself(guarded: Secured) -> None:
    await guarded.make("default")
    stub = await of_task_run(guarded)

    reply = await stub.list_tokens(proto.ListTokensRequest())

    assert ["aaaaaaaaaaaa"] == [token.id for token in reply.tokens]
