"""What every call does: token, namespace, deadline, repetition, typed errors, TLS."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import betterproto2
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk import errors, proto
from gofer_sdk.client import EventFilter, GoferClient, Patience, Token
from gofer_sdk.codec import Raw
from tests.fakes.server import Answer, FakeServer, certificate
from tests.unit.gofer_sdk.client.conftest import HASTE

OK = proto.GetSystemInfoResponse(semver="1.2.3")


def failing_first(times: int, then: betterproto2.Message, status: Status = Status.UNAVAILABLE) -> Answer:
    """An answer that fails so many times before it comes."""
    left = times

    async def answer(_: betterproto2.Message) -> betterproto2.Message:
        nonlocal left
        if left:
            left -= 1
            raise GRPCError(status, "not now")
        return then

    return answer


async def test_a_call_carries_the_token(server: FakeServer) -> None:
    server.answer("GetSystemInfo", OK)

    async with GoferClient(f"localhost:{server.port}", token="opensesame\n") as client:
        await client.system.info()

    assert server.metadata[0]["authorization"] == "Bearer opensesame"


async def test_a_call_without_a_token_sends_no_authorization(server: FakeServer, client: GoferClient) -> None:
    server.answer("GetSystemInfo", OK)

    await client.system.info()

    assert "authorization" not in server.metadata[0]


async def test_a_call_that_names_no_namespace_is_for_the_clients_own(server: FakeServer) -> None:
    server.answer("GetRun", proto.GetRunResponse(run=proto.Run(id=1)))

    async with GoferClient(f"127.0.0.1:{server.port}", namespace="mine") as client:
        await client.runs.get("nightly", 1)
        await client.runs.get("nightly", 1, namespace="other")

    assert [request.namespace_id for request in server.requests if isinstance(request, proto.GetRunRequest)] == [
        "mine",
        "other",
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.INVALID_ARGUMENT, errors.InvalidInput),
        (Status.NOT_FOUND, errors.NotFound),
        (Status.ALREADY_EXISTS, errors.AlreadyExists),
        (Status.FAILED_PRECONDITION, errors.FailedPrecondition),
        (Status.RESOURCE_EXHAUSTED, errors.LimitReached),
        (Status.UNAUTHENTICATED, errors.Unauthenticated),
        (Status.PERMISSION_DENIED, errors.PermissionDenied),
        (Status.UNIMPLEMENTED, errors.NotServed),
        (Status.UNAVAILABLE, errors.Unavailable),
        (Status.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
        (Status.INTERNAL, errors.ServerFault),
        (Status.UNKNOWN, errors.ServerFault),
        (Status.DATA_LOSS, errors.ServerFault),
    ],
)
async def test_each_status_is_an_error_of_its_own_with_the_servers_words(
    server: FakeServer, client: GoferClient, status: Status, kind: type[errors.CallFailed]
) -> None:
    server.answer("GetRun", failing_first(99, OK, status))

    with pytest.raises(errors.CallFailed) as caught:
        await client.runs.get("nightly", 7)

    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.rpc, caught.value.host) == (
        "not now",
        "GetRun",
        f"127.0.0.1:{server.port}",
    )


async def test_a_call_that_the_server_does_not_serve_is_not_served(client: GoferClient) -> None:
    with pytest.raises(errors.NotServed, match="GetEvent"):
        await client.events.get(1)


async def test_a_read_is_made_again_while_the_server_is_unavailable(server: FakeServer) -> None:
    told: list[tuple[str, timedelta]] = []
    server.answer("GetSystemInfo", failing_first(2, OK))

    async with GoferClient(
        f"127.0.0.1:{server.port}",
        patience=HASTE,
        on_retry=lambda fault, delay: told.append((fault.message, delay)),
    ) as client:
        info = await client.system.info()

    assert info == OK
    assert told == [("not now", timedelta(milliseconds=1)), ("not now", timedelta(milliseconds=2))]


async def test_a_read_is_not_made_again_for_ever(server: FakeServer, client: GoferClient) -> None:
    server.answer("GetSystemInfo", failing_first(99, OK))

    with pytest.raises(errors.Unavailable):
        await client.system.info()

    assert len(server.requests) == HASTE.attempts


async def test_a_read_is_not_made_again_for_another_reason(server: FakeServer, client: GoferClient) -> None:
    server.answer("GetSystemInfo", failing_first(99, OK, Status.INTERNAL))

    with pytest.raises(errors.ServerFault):
        await client.system.info()

    assert len(server.requests) == 1


async def test_a_call_that_changes_something_is_made_once(server: FakeServer, client: GoferClient) -> None:
    server.answer("CreateNamespace", failing_first(99, OK))

    with pytest.raises(errors.Unavailable):
        await client.namespaces.create("team", name="Team")

    assert len(server.requests) == 1


async def test_the_start_of_a_run_is_made_again_with_the_same_request_id(
    server: FakeServer, client: GoferClient
) -> None:
    server.answer("StartRun", failing_first(1, proto.StartRunResponse(run=proto.Run(id=7), existing=True)))

    started = await client.runs.start("nightly")

    ids = [request.request_id for request in server.requests if isinstance(request, proto.StartRunRequest)]
    assert started.run == proto.Run(id=7)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert ids[0]


async def test_each_start_of_a_run_has_a_request_id_of_its_own(server: FakeServer, client: GoferClient) -> None:
    server.answer("StartRun", proto.StartRunResponse(run=proto.Run(id=7)))

    await client.runs.start("nightly")
    await client.runs.start("nightly")

    first, second = (request.request_id for request in server.requests if isinstance(request, proto.StartRunRequest))
    assert first != second


async def test_a_call_without_an_answer_in_time_fails_naming_call_and_host(server: FakeServer) -> None:
    async def never(_: betterproto2.Message) -> betterproto2.Message:
        await asyncio.Event().wait()
        return OK

    server.answer("GetSystemInfo", never)

    hasty = replace(HASTE, call_timeout=timedelta(milliseconds=50))
    async with GoferClient(f"127.0.0.1:{server.port}", patience=hasty) as client:
        with pytest.raises(errors.DeadlineExceeded, match=rf"GetSystemInfo: no answer from 127.0.0.1:{server.port}"):
            await client.system.info()


async def test_where_nothing_listens_the_error_names_the_host(closed_port: int) -> None:
    async with GoferClient(f"127.0.0.1:{closed_port}", patience=HASTE) as client:
        with pytest.raises(errors.Unavailable, match=f"nothing listens at 127.0.0.1:{closed_port}"):
            await client.system.info()


async def test_a_port_that_does_not_speak_tls_is_unavailable_in_words() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n" * 10)
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other, GoferClient(f"127.0.0.1:{port}", patience=HASTE) as client:
        with pytest.raises(errors.Unavailable, match=f"127.0.0.1:{port} does not speak TLS"):
            await client.system.info()


async def test_a_request_that_has_no_bytes_is_not_the_servers_fault(client: GoferClient) -> None:
    words = "GetRun can't be asked: GetRunRequest.pipeline_id can't be encoded: it is no UTF-8"
    with pytest.raises(errors.InvalidInput, match=words):
        await client.runs.get("night\udcff", 1)


async def test_an_answer_that_is_none_is_the_servers_fault(server: FakeServer, client: GoferClient) -> None:
    async def garbage(_: betterproto2.Message) -> Raw:
        return Raw(b"\x0a\xff")

    server.answer("GetRun", garbage)

    with pytest.raises(errors.ServerFault, match=r"GetRun: the answer of 127\.0\.0\.1:\d+ is not a GetRunResponse"):
        await client.runs.get("nightly", 1)


async def test_a_request_that_can_not_be_sent_is_no_fault_of_the_servers(
    server: FakeServer, client: GoferClient
) -> None:
    """The server's answer was said to be malformed."""
    with pytest.raises(errors.InvalidInput, match=r"StartRun can't be asked: .*variables can't be encoded"):
        await client.runs.start("nightly", variables={"LIMIT": 3})  # type: ignore[dict-item]

    assert server.requests == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.tokens.create(namespaces="team", expires_in=timedelta(days=1)),
        lambda client: client.global_secrets.put("key", "value", namespaces="team"),
        lambda client: anext(client.events.list(only=EventFilter(kinds="team"))),  # type: ignore[arg-type]
    ],
)
async def test_a_text_where_a_list_belongs_is_not_its_letters(
    server: FakeServer, client: GoferClient, call: Callable[[GoferClient], Awaitable[object]]
) -> None:
    with pytest.raises(TypeError, match=r"is the text 'team': give a list, such as \['team'\]"):
        await call(client)

    assert server.requests == []


async def test_an_empty_answer_is_the_servers_fault(server: FakeServer, client: GoferClient) -> None:
    server.answer("GetRun", proto.GetRunResponse())

    with pytest.raises(errors.ServerFault, match="GetRun: the server's answer is empty"):
        await client.runs.get("nightly", 1)


async def test_a_certificate_that_does_not_verify_ends_the_call_at_once(tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "127.0.0.2")
    told: list[errors.CallFailed] = []

    async with FakeServer().running(context, "127.0.0.2") as server:
        host = f"127.0.0.2:{server.port}"
        async with GoferClient(host, patience=HASTE, on_retry=lambda fault, _: told.append(fault)) as client:
            with pytest.raises(errors.Untrusted, match=f"the certificate of {host} does not verify .* tls_ca"):
                await client.system.info()

    assert (server.requests, told) == ([], [])


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_certificate_verifies_against_the_given_authority(tmp_path: Path, *, as_text: bool) -> None:
    path, context = certificate(tmp_path, "127.0.0.2")

    async with FakeServer().running(context, "127.0.0.2") as server:
        server.answer("GetSystemInfo", OK)
        tls_ca = path.read_text() if as_text else path
        async with GoferClient(f"127.0.0.2:{server.port}", tls_ca=tls_ca, patience=HASTE) as client:
            assert await client.system.info() == OK


async def test_a_certificate_for_another_host_does_not_verify(tmp_path: Path) -> None:
    path, context = certificate(tmp_path, "127.0.0.3")

    async with (
        FakeServer().running(context, "127.0.0.2") as server,
        GoferClient(f"127.0.0.2:{server.port}", tls_ca=path, patience=HASTE) as client,
    ):
        with pytest.raises(errors.Untrusted):
            await client.system.info()


async def test_an_authority_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")

    with pytest.raises(ValueError, match=r"tls_ca: .*ca\.pem holds no certificate"):
        await GoferClient("gofer.example.com", tls_ca=path).__aenter__()


async def test_an_authority_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"tls_ca: No such file or directory: '.*gone\.pem'"):
        await GoferClient("gofer.example.com", tls_ca=tmp_path / "gone.pem").__aenter__()


async def test_a_client_is_open_once_at_a_time(server: FakeServer, client: GoferClient) -> None:
    """The first connection was forgotten open, and the first block's end closed the second one."""
    server.answer("GetSystemInfo", OK)

    with pytest.raises(RuntimeError, match="the client is open already"):
        await client.__aenter__()

    assert OK == await client.system.info()


async def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    with pytest.raises(RuntimeError, match="async with GoferClient"):
        await GoferClient().system.info()


async def test_a_call_after_the_end_of_the_client_is_refused(server: FakeServer) -> None:
    server.answer("GetSystemInfo", OK)
    async with GoferClient(f"127.0.0.1:{server.port}") as client:
        await client.system.info()

    with pytest.raises(RuntimeError, match="async with GoferClient"):
        await client.system.info()


async def test_many_calls_at_once_share_one_connection(server: FakeServer, client: GoferClient) -> None:
    server.answer("GetSystemInfo", OK)

    answers = await asyncio.gather(*(client.system.info() for _ in range(50)))

    assert answers == [OK] * 50


def test_a_token_never_shows_itself() -> None:
    client = GoferClient(token="opensesame")

    assert "opensesame" not in repr(client) + repr(vars(client)) + repr(Token("opensesame")) + str(Token("opensesame"))
    assert Token("opensesame").reveal() == "opensesame"


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "umläut", "nul\0"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="the token holds") as caught:
        GoferClient(token=token)

    assert token not in str(caught.value)


def test_the_delay_doubles_up_to_the_longest() -> None:
    patience = Patience(first_delay=timedelta(seconds=1), longest_delay=timedelta(seconds=5))

    assert [patience.delay_after(n).total_seconds() for n in (1, 2, 3, 4, 400)] == [1, 2, 4, 5, 5]


def test_tls_is_not_asked_to_verify_on_this_machine_alone() -> None:
    from gofer_sdk.client.tls import tls_context

    assert tls_context(None, verified=False).verify_mode is ssl.CERT_NONE
    assert tls_context(None, verified=True).verify_mode is ssl.CERT_REQUIRED
