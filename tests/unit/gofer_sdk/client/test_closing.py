"""A client leaves nothing open behind it."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer_sdk import errors, proto
from gofer_sdk.client import GoferClient
from gofer_sdk.client.channel import MOST_CLOSED_STREAMS, ClosingChannel
from gofer_sdk.codec import WireCodec
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.conftest import HASTE

PROGRAM = """
import asyncio, sys
from gofer_sdk.client import GoferClient

async def main():
    async with GoferClient(sys.argv[1]) as client:
        print((await client.system.info()).semver)

asyncio.run(main())
"""


async def test_a_program_that_ends_with_its_client_leaves_nothing_unclosed(server: FakeServer) -> None:
    server.answer("GetSystemInfo", proto.GetSystemInfoResponse(semver="1.2.3"))

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PROGRAM, f"127.0.0.1:{server.port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    assert await process.communicate() == (b"1.2.3\n", b"")


@contextmanager
def mute(context: ssl.SSLContext) -> Iterator[tuple[int, Future[ssl.SSLSocket | None]]]:
    """Listen on a port where whoever connects gets TLS, and after that not a word; gives the port, and whom it got.

    None where the client was gone before the connection was there.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def accept() -> ssl.SSLSocket | None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                return context.wrap_socket(connection, server_side=True)
            return None

        accepted = threads.submit(accept)
        yield listener.getsockname()[1], accepted
        if connected := accepted.result():
            connected.close()


@pytest.mark.timeout(90)
async def test_a_server_that_does_not_say_goodbye_keeps_no_client(server_tls: ssl.SSLContext) -> None:
    for seconds in (0.1, 1, 10):
        with mute(server_tls) as (port, accepted):
            async with asyncio.timeout(25):
                await ask_in_vain(port, call_timeout=timedelta(seconds=seconds))
        if accepted.result() is not None:
            return
    raise AssertionError("there was no connection in time, even of a busy machine")


async def ask_in_vain(port: int, *, call_timeout: timedelta) -> None:
    hasty = replace(HASTE, call_timeout=call_timeout)
    async with GoferClient(f"127.0.0.1:{port}", patience=hasty) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.system.info()


async def test_calls_under_way_fail_when_their_client_is_closed(server: FakeServer) -> None:
    asked = asyncio.Event()

    async def never(_: object) -> proto.GetSystemInfoResponse:
        asked.set()
        await asyncio.Event().wait()
        return proto.GetSystemInfoResponse()

    server.answer("GetSystemInfo", never)
    async with GoferClient(f"127.0.0.1:{server.port}", patience=replace(HASTE, attempts=1)) as client:
        call = asyncio.gather(client.system.info(), return_exceptions=True)
        await asked.wait()

    (failure,) = await call
    assert isinstance(failure, errors.Unavailable)


async def test_calls_that_are_long_over_are_forgotten(server: FakeServer) -> None:
    """Each of them cost a hundred bytes for as long as the connection lasted."""
    server.answer("GetSystemInfo", proto.GetSystemInfoResponse())
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.set_alpn_protocols(["h2"])
    channel = ClosingChannel("127.0.0.1", server.port, ssl=trusting, codec=WireCodec())
    try:
        for _ in range(0, MOST_CLOSED_STREAMS + 100, 50):
            calls = (proto.GoferStub(channel).get_system_info(proto.GetSystemInfoRequest()) for _ in range(50))
            await asyncio.gather(*calls)
        (connection,) = channel._open  # noqa: SLF001 - nobody tells it
        remembered = len(connection.connection._connection._closed_streams)  # noqa: SLF001
    finally:
        await channel.close_and_wait()

    assert remembered == MOST_CLOSED_STREAMS
