"""What a server in Python costs that does nothing: grpclib, our codec and TLS, with answers that never change.

python -m tests.benchmarks._floor_server FOLDER

Answers each unary call with the bytes of the file FOLDER/NAME-OF-THE-CALL, and GetTaskRunLogs by reading FOLDER/log in
blocks and sending, for each of them, a block of messages that was encoded long before. To StartRun it gives the next
number, and tells whoever follows ListEvents that this run has ended. Prints `ready PORT`.
"""

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from grpclib.const import Handler
from grpclib.server import Server, Stream

from gofer.api.grpclib_inside import send_buffer
from gofer.api.log_stream import LineEncoder
from gofer.tls import make_certificate
from gofer_sdk._proto import proto
from gofer_sdk.codec import Raw, WireCodec, encode

BLOCK_BYTES: Final = 64 * 1024
LOGS: Final = "GetTaskRunLogs"
Answer: TypeAlias = Callable[[Stream[object, object]], Coroutine[object, object, None]]


class Constant:
    """The service, as far as there are files for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._block = b""
        self._last_run = 0
        self._last_end: Raw | None = None
        self._followers: list[asyncio.Queue[Raw]] = []
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

    def _of(self, name: str) -> Answer | None:
        if name == LOGS and self._block:
            return self._logs
        file = self._folder / name
        if file.exists():
            return _constant(Raw(file.read_bytes()))
        runs: dict[str, Answer] = {"StartRun": self._start_run, "ListEvents": self._list_events}
        return runs.get(name)

    async def _logs(self, stream: Stream[object, object]) -> None:
        await stream.recv_message()
        with (self._folder / "log").open("rb") as log:
            while await asyncio.to_thread(log.read, BLOCK_BYTES):
                await send_buffer(stream, self._block)

    async def _start_run(self, stream: Stream[object, object]) -> None:
        await stream.recv_message()
        self._last_run += 1
        details = f'{{"run_id":{self._last_run},"status":"SUCCESSFUL"}}'
        self._last_end = Raw(encode(proto.ListEventsResponse(event=proto.Event(details=details))))
        await stream.send_message(Raw(encode(proto.StartRunResponse(run=proto.Run(id=self._last_run)))))
        for follower in self._followers:
            follower.put_nowait(self._last_end)

    async def _list_events(self, stream: Stream[object, object]) -> None:
        await stream.recv_message()
        events: asyncio.Queue[Raw] = asyncio.Queue()
        self._followers.append(events)
        if self._last_end is not None:  # the stream was asked for before the run, and has come after it
            events.put_nowait(self._last_end)
        try:
            while True:
                await stream.send_message(await events.get())
        finally:
            self._followers.remove(events)


def _constant(reply: Raw) -> Answer:
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
