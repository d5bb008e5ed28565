"""A server of the generated base, on a real socket with TLS, that answers as a test says."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import betterproto2
from grpclib.const import Cardinality, Handler
from grpclib.events import RecvRequest, listen
from grpclib.server import Server, Stream

from gofer.tls import make_certificate
from gofer_sdk._proto import proto
from gofer_sdk.codec import Raw, WireCodec

Answer = Callable[[betterproto2.Message], Awaitable[betterproto2.Message | Raw]]
Answers = Callable[[betterproto2.Message], AsyncIterator[betterproto2.Message]]


class FakeServer:
    """Answers the calls that a test has scripted; every other one is UNIMPLEMENTED.

    Attributes:
        port: where it listens.
        requests: what it was asked, in order.
        metadata: what came with each request.

    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[betterproto2.Message] = []
        self.metadata: list[dict[str, str]] = []
        self._unary: dict[str, Answer] = {}
        self._streams: dict[str, Answers] = {}

    def answer(self, rpc: str, how: Answer | betterproto2.Message) -> None:
        """Answer a call with a message, or as a function says."""

        async def same(_: betterproto2.Message) -> betterproto2.Message:
            assert isinstance(how, betterproto2.Message)
            return how

        self._unary[rpc] = same if isinstance(how, betterproto2.Message) else how

    def stream(self, rpc: str, how: Answers) -> None:
        """Answer a call with a stream."""
        self._streams[rpc] = how

    def __mapping__(self) -> dict[str, Handler]:
        """Give grpclib what it serves."""
        original = proto.GoferBase().__mapping__()
        return {path: handler._replace(func=self._handler(path, handler)) for path, handler in original.items()}

    def _handler(self, path: str, original: Handler) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
        rpc = path.rpartition("/")[2]

        async def serve(stream: Stream[Any, Any]) -> None:
            is_stream = original.cardinality is Cardinality.UNARY_STREAM
            if rpc not in (self._streams if is_stream else self._unary):
                await original.func(stream)
                return
            request = await stream.recv_message()
            assert request is not None
            self.requests.append(request)
            if is_stream:
                await stream.send_initial_metadata()
                async for answer in self._streams[rpc](request):
                    await stream.send_message(answer)
            else:
                await stream.send_message(await self._unary[rpc](request))

        return serve

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext, host: str = "127.0.0.1") -> AsyncIterator["FakeServer"]:
        """Serve until the block ends."""

        async def keep_metadata(event: RecvRequest) -> None:
            self.metadata.append({key: str(value) for key, value in event.metadata.items()})

        server = Server([self], codec=WireCodec())
        listen(server, RecvRequest, keep_metadata)
        listener = socket.create_server((host, 0))
        self.port = listener.getsockname()[1]
        await server.start(sock=listener, ssl=context)
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()


def certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for some names; return its file and what a server needs to use it."""
    path = folder / "certificate.pem"
    path.write_bytes(make_certificate(names, now=datetime.now(tz=UTC)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["h2"])
    return path, context
