"""Tokens over the wire: made, shown once, looked up, refused, forgotten."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from gofer.app import running_app
from gofer.config.settings import Settings
from gofer.core.access import TokenKind
from gofer.sealing import hash_token
from gofer_sdk._proto import proto
from tests.service.secured import Secured, bearer, channel_of, opened, secured
from tests.service.wire import kinds, register, start, task, up

CREATE = proto.CreateTokenRequestKind
KIND = proto.TokenKind


async def whoami(it: Secured, token: str) -> proto.WhoAmIResponse:
    return await it.stub(token).who_am_i(proto.WhoAmIRequest())


async def listed(stub: proto.GoferStub, **query: object) -> list[str]:
    reply = await stub.list_tokens(proto.ListTokensRequest(**query))  # type: ignore[arg-type]  # its own fields
    return [token.id for token in reply.tokens]


async def refused(work: object) -> tuple[Status, str]:
    with pytest.raises(GRPCError) as caught:
        await work  # type: ignore[misc]  # a call that has begun
    return caught.value.status, caught.value.message or ""


async def test_the_first_token_is_for_management_and_lives_for_a_century(guarded: Secured) -> None:
    own = (await whoami(guarded, guarded.management)).details

    assert own is not None
    assert (KIND.MANAGEMENT, [], {"bootstrap_token": "true"}) == (own.kind, own.namespaces, own.metadata)
    assert own.expires - own.created == 876_600 * 3_600_000
    assert 64 == len(guarded.management)


async def test_bootstrapping_works_once_ever_also_without_its_token_and_after_a_restart(settings: Settings) -> None:
    settings = replace(settings, development=replace(settings.development, bypass_auth=False))
    async with running_app(settings) as app, secured(app) as it:
        again = await refused(it.admin.bootstrap_token(proto.BootstrapTokenRequest()))
        await it.admin.delete_token(proto.DeleteTokenRequest(token=it.management))
        later = await refused(it.admin.bootstrap_token(proto.BootstrapTokenRequest()))
    async with running_app(settings) as app, channel_of(app) as channel:
        restarted = await refused(proto.GoferStub(channel).bootstrap_token(proto.BootstrapTokenRequest()))

    assert {Status.FAILED_PRECONDITION} == {status for status, _ in (again, later, restarted)}


async def test_who_has_lost_the_last_management_token_makes_one_in_dev_mode(settings: Settings) -> None:
    """Bootstrapping stays closed: the way back needs whoever may start the server."""
    production = replace(settings, dev_mode=False, development=replace(settings.development, bypass_auth=False))
    async with running_app(production) as app, secured(app) as it:
        await it.admin.delete_token(proto.DeleteTokenRequest(token=it.management))
        locked_out = await refused(it.admin.list_namespaces(proto.ListNamespacesRequest()))
    async with running_app(settings) as app, channel_of(app) as channel:
        made = await proto.GoferStub(channel).create_token(
            proto.CreateTokenRequest(kind=CREATE.MANAGEMENT, expires="24h")
        )
    async with running_app(production) as app, channel_of(app) as channel:
        stub = proto.GoferStub(channel, metadata=bearer(made.token))
        found = (await stub.list_namespaces(proto.ListNamespacesRequest())).namespaces

    assert locked_out[0] is Status.UNAUTHENTICATED
    assert ["default"] == [each.id for each in found]


async def test_of_many_who_bootstrap_at_once_one_gets_a_token(settings: Settings) -> None:
    async with running_app(settings) as app, channel_of(app) as channel:
        calls = (proto.GoferStub(channel).bootstrap_token(proto.BootstrapTokenRequest()) for _ in range(20))
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert 1 == sum(isinstance(answer, proto.BootstrapTokenResponse) for answer in answers)


async def test_a_token_is_shown_once_and_stored_as_its_hash(guarded: Secured) -> None:
    text, name = await guarded.make("default")
    folder = guarded.app.settings.data_folder
    found = await guarded.app.database.read(lambda unit: unit.tokens.find_by_hash(hash_token(text)))

    assert found is not None
    assert name == found[0].id
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert guarded.app.settings.server.storage_path in files
    assert [] == [path for path in files if text.encode() in path.read_bytes()]
    assert text not in repr(found)


async def test_a_created_token_comes_with_all_that_was_asked_for(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a")
    made = await guarded.admin.create_token(
        proto.CreateTokenRequest(
            kind=CREATE.CLIENT, namespaces=["team_a", ".*", "team_a"], metadata={"owner": "Zoë"}, expires="1h30m"
        )
    )
    details = made.details

    assert details is not None
    assert (KIND.CLIENT, ["team_a", "*"], {"owner": "Zoë"}) == (details.kind, details.namespaces, details.metadata)
    assert 5_400_000 == details.expires - details.created
    assert not details.disabled
    assert 12 == len(details.id)


@pytest.mark.parametrize("kind", [CREATE.UNKNOWN, CREATE.CLIENT])
async def test_whatever_is_not_management_makes_a_client(guarded: Secured, kind: proto.CreateTokenRequestKind) -> None:
    text, _ = await guarded.make("default", kind=kind)
    own = (await whoami(guarded, text)).details

    assert own is not None
    assert KIND.CLIENT == own.kind


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"expires": ""}, Status.INVALID_ARGUMENT, "is missing"),
        ({"expires": "soon"}, Status.INVALID_ARGUMENT, "a duration"),
        ({"expires": "-1h"}, Status.INVALID_ARGUMENT, "over at once"),
        ({"expires": "0s"}, Status.INVALID_ARGUMENT, "over at once"),
        ({"expires": "1h", "namespaces": ["team_.*"]}, Status.INVALID_ARGUMENT, "use the glob team_*"),
        ({"expires": "x", "namespaces": ["a|b"]}, Status.INVALID_ARGUMENT, "neither a namespace id nor a glob"),
        ({"expires": "1h", "namespaces": ["nothing"]}, Status.NOT_FOUND, "no namespace 'nothing'"),
        ({"expires": "1h", "metadata": {"a": "\0"}}, Status.INVALID_ARGUMENT, "NUL"),
        ({"expires": "1h", "metadata": dict.fromkeys(map(str, range(101)), "")}, Status.INVALID_ARGUMENT, "at most"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused_in_words_and_not_stored(
    guarded: Secured, request_: dict[str, object], status: Status, words: str
) -> None:
    found = await refused(guarded.admin.create_token(proto.CreateTokenRequest(**request_)))  # type: ignore[arg-type]

    assert status == found[0]
    assert words in found[1]
    assert 1 == len(await listed(guarded.admin, everywhere=True))


async def test_a_glob_need_not_match_anything_yet(guarded: Secured) -> None:
    stub = await guarded.client("later_*")
    await guarded.with_namespaces("later_on")

    reply = await stub.get_namespace(proto.GetNamespaceRequest(id="later_on"))

    assert reply.namespace is not None


async def test_a_token_is_looked_up_by_itself_or_by_its_id(guarded: Secured) -> None:
    text, name = await guarded.make("default")
    _, other = await guarded.make("*")
    stub = guarded.stub(text)

    by_text = await stub.get_token(proto.GetTokenRequest(token=text))
    by_id = await stub.get_token(proto.GetTokenRequest(id=name))
    answers = [
        await refused(stub.get_token(request))
        for request in (
            proto.GetTokenRequest(id=other),
            proto.GetTokenRequest(id="nothing"),
            proto.GetTokenRequest(token="0" * 64),
            proto.GetTokenRequest(),
            proto.GetTokenRequest(token=text, id=name),
        )
    ]

    assert by_text.details == by_id.details
    assert [Status.NOT_FOUND] * 3 + [Status.INVALID_ARGUMENT] * 2 == [status for status, _ in answers]
    assert answers[0][1] == answers[1][1], "it is not told whether it exists"
    assert not any(text in words or "0" * 64 in words for _, words in answers)


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_disabled_token_opens_nothing_until_it_is_enabled(guarded: Secured, *, by_id: bool) -> None:
    text, name = await guarded.make("default")
    named = {"id": name} if by_id else {"token": text}
    await whoami(guarded, text)

    await guarded.admin.disable_token(proto.DisableTokenRequest(**named))
    disabled = await refused(whoami(guarded, text))
    await guarded.admin.enable_token(proto.EnableTokenRequest(**named))
    enabled = await whoami(guarded, text)
    await guarded.admin.delete_token(proto.DeleteTokenRequest(**named))
    deleted = await refused(whoami(guarded, text))

    assert (Status.UNAUTHENTICATED, "your token is disabled") == disabled
    assert enabled.details is not None
    assert Status.UNAUTHENTICATED == deleted[0]
    assert "not known" in deleted[1]
    assert name not in await listed(guarded.admin, everywhere=True)


async def test_unknown_tokens_can_be_neither_enabled_disabled_nor_deleted(guarded: Secured) -> None:
    admin = guarded.admin
    answers = [
        await refused(call)
        for call in (
            admin.enable_token(proto.EnableTokenRequest(id="nothing")),
            admin.disable_token(proto.DisableTokenRequest(token="0" * 64)),
            admin.delete_token(proto.DeleteTokenRequest(id="nothing")),
            admin.delete_token(proto.DeleteTokenRequest()),
        )
    ]

    assert [Status.NOT_FOUND] * 3 + [Status.INVALID_ARGUMENT] == [status for status, _ in answers]


async def test_an_expired_token_opens_nothing(guarded: Secured) -> None:
    await guarded.store("e" * 64, kind=TokenKind.MANAGEMENT, life=timedelta(0))

    assert (Status.UNAUTHENTICATED, "your token has expired") == await refused(whoami(guarded, "e" * 64))


async def test_a_list_is_about_one_namespace_or_about_all(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a", "team_b")
    (first,) = await listed(guarded.admin)
    _, in_a = await guarded.make("team_a")
    _, in_b = await guarded.make("team_b", "default")
    _, by_glob = await guarded.make("team_*")

    assert [first, in_b] == await listed(guarded.admin)
    assert [first, in_a, by_glob] == await listed(guarded.admin, namespace="team_a")
    assert [first, in_a, in_b, by_glob] == await listed(guarded.admin, everywhere=True)
    assert Status.INVALID_ARGUMENT == (await refused(listed(guarded.admin, namespace="team_a", everywhere=True)))[0]
    assert Status.NOT_FOUND == (await refused(listed(guarded.admin, namespace="nothing")))[0]


async def test_a_list_comes_in_pages(guarded: Secured) -> None:
    made = [*await listed(guarded.admin), *[(await guarded.make("default"))[1] for _ in range(4)]]

    first = await guarded.admin.list_tokens(proto.ListTokensRequest(limit=2))
    second = await guarded.admin.list_tokens(proto.ListTokensRequest(limit=2, cursor=first.next_cursor))
    third = await guarded.admin.list_tokens(proto.ListTokensRequest(limit=2, cursor=second.next_cursor))

    assert made == [token.id for page in (first, second, third) for token in page.tokens]
    assert "" == third.next_cursor
    assert made[3:] == await listed(guarded.admin, offset=3)


async def test_clients_see_tokens_that_open_no_more_than_theirs(guarded: Secured) -> None:
    await guarded.with_namespaces("team_a", "team_b")
    text, own = await guarded.make("team_a")
    _, same = await guarded.make("team_a")
    await guarded.make("team_a", "team_b")
    await guarded.make("*")
    await guarded.make("team_a", kind=CREATE.MANAGEMENT)

    assert [own, same] == await listed(guarded.stub(text))
    assert [own, same] == await listed(guarded.stub(text), everywhere=True)
    assert Status.PERMISSION_DENIED == (await refused(listed(guarded.stub(text), namespace="team_b")))[0]


async def test_a_client_by_pattern_sees_its_tokens_everywhere(guarded: Secured) -> None:
    """It was asked for the namespace default, which it does not open."""
    text, own = await guarded.make("team_*")

    assert [own] == await listed(guarded.stub(text), everywhere=True)
    assert Status.PERMISSION_DENIED == (await refused(listed(guarded.stub(text))))[0]


async def test_dev_mode_says_that_no_token_was_looked_at(stub: proto.GoferStub) -> None:
    reply = await stub.who_am_i(proto.WhoAmIRequest(), metadata=bearer("nothing"))

    assert reply.without_token
    assert reply.details is not None
    assert KIND.MANAGEMENT == reply.details.kind


async def test_no_event_tells_of_tokens(guarded: Secured) -> None:
    await guarded.make("default")

    assert ["NAMESPACE_CREATED"] == await kinds(guarded.admin)


# ---------------------------------------------------------------- streams


async def rest_of(events: AsyncIterator[proto.ListEventsResponse]) -> tuple[Status, str]:
    """Read a stream to its end, which must be an error."""

    async def read() -> None:
        async for _ in events:
            pass

    return await refused(read())


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_a_token_that_is_revoked_ends_its_streams_and_no_others(guarded: Secured, how: str) -> None:
    text, name = await guarded.make("default")
    other, _ = await guarded.make("default")
    query = proto.ListEventsRequest(follow=True)
    async with (
        opened(guarded.stub(text).list_events(query)) as events,
        opened(guarded.stub(other).list_events(query)) as others,
    ):
        await anext(events)
        await anext(others)
        if how == "disable":
            await guarded.admin.disable_token(proto.DisableTokenRequest(id=name))
        else:
            await guarded.admin.delete_token(proto.DeleteTokenRequest(id=name))

        ended = await rest_of(events)
        await register(guarded.admin)
        went_on = await anext(others)

    assert (Status.UNAUTHENTICATED, "your token was deleted or disabled meanwhile, or opens less now") == ended
    assert went_on.event is not None
    assert "PIPELINE_REGISTERED" == went_on.event.type


@pytest.mark.timeout(90)
async def test_a_token_that_expires_ends_its_streams(guarded: Secured) -> None:
    ended: list[tuple[Status, str]] = []
    for text, seconds in (("a" * 64, 1), ("b" * 64, 5), ("c" * 64, 25)):
        await guarded.store(text, kind=TokenKind.MANAGEMENT, life=timedelta(seconds=seconds))
        async with opened(guarded.stub(text).list_events(proto.ListEventsRequest(follow=True))) as events:
            ended.append(await rest_of(events))
        if "meanwhile" in ended[-1][1]:  # else a machine was too busy to begin in that time, and gets more
            break

    assert (Status.UNAUTHENTICATED, "your token has expired meanwhile") == ended[-1]


async def test_followed_logs_end_with_their_token_too(guarded: Secured) -> None:
    text, name = await guarded.make("default")
    await up(guarded.admin, task("hello", variables={"GOFER_MEMORY_LOG": "one\n", "GOFER_MEMORY_HOLD": "true"}))
    await start(guarded.admin)
    request = proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=1, id="hello")
    async with opened(guarded.stub(text).get_task_run_logs(request)) as lines:
        first = await anext(lines)
        await guarded.admin.delete_token(proto.DeleteTokenRequest(id=name))
        ended = await refused(anext(lines))

    assert "one" == first.log_line
    assert Status.UNAUTHENTICATED == ended[0]


async def test_a_request_that_comes_after_its_token_was_revoked_is_refused(guarded: Secured) -> None:
    text, name = await guarded.make(kind=CREATE.MANAGEMENT)
    call = guarded.channel.request(
        "/proto.Gofer/CreateNamespace",
        Cardinality.UNARY_UNARY,
        proto.CreateNamespaceRequest,
        proto.CreateNamespaceResponse,
        metadata=bearer(text),
    )

    async def late() -> None:
        async with call as stream:
            await stream.send_request()
            await guarded.stub(text).who_am_i(proto.WhoAmIRequest())  # by now the server has let the other one in
            await guarded.admin.delete_token(proto.DeleteTokenRequest(id=name))
            await stream.send_message(proto.CreateNamespaceRequest(id="late", name="Late"), end=True)
            await stream.recv_message()

    assert Status.UNAUTHENTICATED == (await refused(late()))[0]
    assert Status.NOT_FOUND == (await refused(guarded.admin.get_namespace(proto.GetNamespaceRequest(id="late"))))[0]
