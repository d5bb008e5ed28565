"""What a server in Python costs that does nothing: grpclib, our codec and TLS, with answers that never change.

python -m tests.benchmarks._floor_server FOLDER

Answers each unary call with the bytes of the file FOLDER/NAME-OF-THE-CALL, and GetTaskRunLogs by reading FOLDER/log in
blocks and sending, for each of them, a block of messages that was encoded long before. Prints `ready PORT`.
"""

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from grpclib.const import Handler
from grpclib.server import Server, Stream

from gofer.api.grpclib_inside import send_buffer
from gofer.api.log_stream import LineEncoder
from gofer.tls import make_certificate
from gofer_sdk._proto import proto
from gofer_sdk.codec import Raw, WireCodec

BLOCK_BYTES: Final = 64 * 1024
LOGS: Final = "GetTaskRunLogs"


class Constant:
    """The service, as far as there are files for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._block = b""
        if (folder / "log").exists():
            with (folder / "log").open("rb") as log:
                self._block = LineEncoder().encode(log.read(BLOCK_BYTES))

    def __mapping__(self) -> dict[str, Handler]:
        """Give grpclib the handlers."""
        handlers = proto.GoferBase().__mapping__()
        found: dict[str, Handler] = {}
        for path, handler in handlers.items():
            name = path.rpartition("/")[2]
            answer = self._of(name)
            if answer is not None:
                found[path] = Handler(answer, handler.cardinality, handler.request_type, handler.reply_type)
        return found

    def _of(self, name: str) -> "Callable[[Stream[object, object]], Coroutine[object, object, None]] | None":
        if name == LOGS and self._block:
            return self._logs
        file = self._folder / name
        return _constant(Raw(file.read_bytes())) if file.exists() else None

    async def _logs(self, stream: Stream[object, object]) -> None:
        await stream.recv_message()
        with (self._folder / "log").open("rb") as log:
            while await asyncio.to_thread(log.read, BLOCK_BYTES):
                await send_buffer(stream, self._block)


def _constant(reply: Raw) -> Callable[[Stream[object, object]], Coroutine[object, object, None]]:
    async def answer(stream: Stream[object, object]) -> None:
        await stream.recv_message()
        await stream.send_message(reply)

    return answer


async def serve(folder: Path) -> None:
    """Serve until SIGTERM."""
    certificate = folder / "floor.pem"
    certificate.write_bytes(make_certificate(("localhost", "127.0.0.1"), now=datetime.now(UTC)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate)
    server = Server([Constant(folder)], codec=WireCodec())
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, for TCP_NODELAY
    listener.bind(("127.0.0.1", 0))
    await server.start(sock=listener, ssl=context)
    sys.stdout.write(f"ready {listener.getsockname()[1]}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
