import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.api.handlers.health import CHECK, WATCH, HealthCheckRequest, HealthCheckResponse, ServingStatus
from gofer.config.address import Address
from gofer.core.errors import FailedPrecondition
from gofer.lifecycle import running
from gofer_sdk._proto.proto import (
    GetPipelineRequest,
    GetPipelineResponse,
    GetTaskRunLogsRequest,
    GetTaskRunLogsResponse,
    ListTokensRequest,
)
from gofer_sdk.codec import decode, encode
from tests.fakes.api import GRACE, channel_to, make_gateway, make_server, served
from tests.fakes.handlers import Scripted
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run
from tests.fakes.waiting import until


class Slow:
    """Calls that last until the test lets them end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()

    async def get(self, message: GetPipelineRequest) -> GetPipelineResponse:
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        return GetPipelineResponse()

    async def logs(self, message: GetTaskRunLogsRequest) -> AsyncGenerator[GetTaskRunLogsResponse, None]:
        yield GetTaskRunLogsResponse(log_line="first")
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()


async def test_it_starts_and_stops_as_often_as_wanted(tmp_path: Path) -> None:
    gateway = make_gateway()

    await start_stop_stress(lambda: make_server(gateway, tmp_path), times=20)
    await cancel_during_start(lambda: make_server(gateway, tmp_path))
    await stop_before_run(lambda: make_server(gateway, tmp_path))


# ---------------------------------------------------------------- the drain


async def test_a_stop_lets_a_call_in_flight_finish_and_refuses_new_ones(tmp_path: Path) -> None:
    slow = Slow()
    async with served(tmp_path, Scripted(get=slow.get)) as it, asyncio.TaskGroup() as group:
        call = group.create_task(it.stub.get_pipeline(GetPipelineRequest()), name="call")
        await slow.begun.wait()
        it.server.stop()
        await asyncio.sleep(0)

        with pytest.raises(GRPCError) as refused:
            await it.stub.get_pipeline(GetPipelineRequest())
        slow.go_on.set()
        await call

    assert refused.value.status is Status.UNAVAILABLE
    assert isinstance(call.result(), GetPipelineResponse)


async def test_a_stop_ends_streams_of_replies_at_once_and_in_words(tmp_path: Path) -> None:
    slow = Slow()
    got: list[str] = []

    async with served(tmp_path, Scripted(logs=slow.logs)) as it:

        async def read() -> None:
            async for reply in it.stub.get_task_run_logs(GetTaskRunLogsRequest()):
                got.append(reply.log_line)  # noqa: PERF401 - what came before the end counts

        async def follow() -> GRPCError:
            with pytest.raises(GRPCError) as caught:
                await read()
            return caught.value

        async with asyncio.TaskGroup() as group:
            follower = group.create_task(follow(), name="follower")
            await slow.begun.wait()
            it.server.stop()

    assert follower.result().status is Status.UNAVAILABLE
    assert "stopping" in (follower.result().message or "")
    assert got == ["first"]
    assert slow.ended.is_set()


async def test_a_call_that_outlasts_the_grace_is_cut_off_in_words(tmp_path: Path) -> None:
    slow = Slow()
    scripted = Scripted(get=slow.get)
    async with served(tmp_path, scripted, drain_grace=timedelta(milliseconds=100)) as it:

        async def call() -> GRPCError:
            with pytest.raises(GRPCError) as caught:
                await it.stub.get_pipeline(GetPipelineRequest())
            return caught.value

        async with asyncio.TaskGroup() as group:
            task = group.create_task(call(), name="call")
            await slow.begun.wait()
            it.server.stop()

    assert task.result().status is Status.UNAVAILABLE
    assert slow.ended.is_set()


async def test_a_stop_closes_idle_connections_even_of_clients_that_say_nothing(tmp_path: Path) -> None:
    gateway = make_gateway()
    server = make_server(gateway, tmp_path)
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    async with running(server, grace=GRACE):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context, server_hostname="localhost"
        )
        raw_reader, raw_writer = await asyncio.open_connection("127.0.0.1", server.port)

    await reader.read()  # to its end
    assert reader.at_eof()
    with pytest.raises(OSError, match=r".*"):
        await asyncio.open_connection("127.0.0.1", server.port)
    for each in (writer, raw_writer):
        each.transport.abort()
    assert await raw_reader.read() == b""


@pytest.mark.timeout(60)
async def test_a_client_that_does_not_answer_the_goodbye_of_tls_holds_nobody_up(tmp_path: Path) -> None:
    server = make_server(make_gateway(), tmp_path)
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    context.set_alpn_protocols(["h2"])

    def connect() -> ssl.SSLSocket:
        return context.wrap_socket(socket.create_connection(("localhost", server.port)), server_hostname="localhost")

    async with running(server, grace=GRACE):
        silent = await asyncio.to_thread(connect)
        began = time.monotonic()
    took = time.monotonic() - began

    silent.close()
    assert took < 25  # the other side of TLS is waited for for half a minute, where nobody says otherwise


# ---------------------------------------------------------------- listening


async def test_localhost_means_all_its_addresses_on_one_port(tmp_path: Path) -> None:
    server = make_server(make_gateway(), tmp_path)

    async with running(server, grace=GRACE):
        families = {place[0] for place in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM)}
        for family in families:
            with socket.socket(family) as client:
                await asyncio.to_thread(client.connect, ("localhost", server.port))

    assert server.address.port == server.port > 0


async def test_small_replies_are_not_held_back(tmp_path: Path) -> None:
    """With the system's delay of small packets each call takes 40 milliseconds."""

    async def get(message: GetPipelineRequest) -> GetPipelineResponse:
        return GetPipelineResponse()

    async with served(tmp_path, Scripted(get=get)) as it:

        async def is_fast() -> bool:
            began = time.perf_counter()
            await it.stub.get_pipeline(GetPipelineRequest())
            return time.perf_counter() - began < 0.03

        for _ in range(5):  # the system delays nothing at first
            await is_fast()
        await until(is_fast)  # one of many: each may meet others on a busy machine


async def test_a_port_that_is_taken_is_refused_by_name_and_disturbs_nobody(tmp_path: Path) -> None:
    async with served(tmp_path, Scripted(get=Slow().get)) as it:
        second = make_server(make_gateway(), tmp_path, address=it.server.address)

        with pytest.raises(FailedPrecondition, match=rf"localhost:{it.server.port} is taken by another program"):
            async with running(second, grace=GRACE):
                pass
        with pytest.raises(GRPCError):
            await it.stub.list_tokens(ListTokensRequest())


@pytest.mark.parametrize(
    ("host", "message"),
    [("192.0.2.1", "no address of this machine"), ("no-such-host.invalid", "not known to this machine")],
)
async def test_a_host_that_is_not_here_is_refused(tmp_path: Path, host: str, message: str) -> None:
    server = make_server(make_gateway(), tmp_path, address=Address(host=host, port=0))

    with pytest.raises(FailedPrecondition, match=message):
        async with running(server, grace=GRACE):
            pass


async def test_a_port_is_free_again_after_the_stop(tmp_path: Path) -> None:
    async with served(tmp_path, Scripted()) as it:
        address = Address(host="localhost", port=it.server.port)

    async with running(make_server(make_gateway(), tmp_path, address=address), grace=GRACE):
        pass


# ---------------------------------------------------------------- health, and a client that we did not write


async def test_health_tells_that_it_serves_and_watching_ends_with_the_server(tmp_path: Path) -> None:
    async with served(tmp_path, Scripted()) as it:
        port, certificates = it.server.port, it.certificate.read_bytes()
        watched = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ask() -> tuple[list[int], grpc.StatusCode, int, grpc.StatusCode]:
            credentials = grpc.ssl_channel_credentials(certificates)
            with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
                check = channel.unary_unary(
                    CHECK, request_serializer=encode, response_deserializer=lambda b: decode(HealthCheckResponse, b)
                )
                watch = channel.unary_stream(
                    WATCH, request_serializer=encode, response_deserializer=lambda b: decode(HealthCheckResponse, b)
                )
                known = [check(HealthCheckRequest(service=name)).status for name in ("", "proto.Gofer")]
                with pytest.raises(grpc.RpcError) as unknown:
                    check(HealthCheckRequest(service="nobody"))
                watching = watch(HealthCheckRequest())
                seen = next(watching).status
                loop.call_soon_threadsafe(watched.set)
                with pytest.raises(grpc.RpcError) as ended:
                    next(watching)
                return known, unknown.value.code(), seen, ended.value.code()

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(asyncio.to_thread(ask), name="client")
            await watched.wait()
            it.server.stop()

    serving = ServingStatus.SERVING
    assert asking.result() == (
        [serving, serving],
        grpc.StatusCode.NOT_FOUND,
        serving,
        grpc.StatusCode.UNAVAILABLE,
    )


async def told_to_grpcio(tmp_path: Path, path: str) -> tuple[grpc.StatusCode, str]:
    """Make a call that a real client hears an error of; its status and words."""
    async with served(tmp_path, Scripted()) as it:
        port, certificates = it.server.port, it.certificate.read_bytes()

        def ask() -> tuple[grpc.StatusCode, str]:
            with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(certificates)) as channel:
                call = channel.stream_stream(path, request_serializer=lambda b: b)
                with pytest.raises(grpc.RpcError) as caught:
                    next(call(iter([b""])))
                return caught.value.code(), caught.value.details()

        return await asyncio.to_thread(ask)


async def test_grpcio_hears_the_words_of_an_error(tmp_path: Path) -> None:
    code, details = await told_to_grpcio(tmp_path, "/proto.Gofer/ListTokens")

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert re.search("not in this test", details)


async def test_grpcio_hears_that_there_is_no_such_call(tmp_path: Path) -> None:
    code, details = await told_to_grpcio(tmp_path, "/elsewhere.Service/Call")

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "no call '/elsewhere.Service/Call'" in details


async def test_two_servers_live_in_one_process(tmp_path: Path) -> None:
    async def get(message: GetPipelineRequest) -> GetPipelineResponse:
        return GetPipelineResponse()

    async with served(tmp_path, Scripted(get=get)) as one, served(tmp_path, Scripted(get=get)) as other:
        assert one.server.port != other.server.port
        async with channel_to(other.server, other.certificate):
            await one.stub.get_pipeline(GetPipelineRequest())
            await other.stub.get_pipeline(GetPipelineRequest())
