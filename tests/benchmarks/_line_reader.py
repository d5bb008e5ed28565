"""A 0.6 client of a log, in a process of its own and with as little cost of its own as can be: it counts the messages.

python -m tests.benchmarks._line_reader PORT REQUEST_HEX WANTED

Speaks HTTP/2 by h2 itself, without gRPC's objects for each message. When so many messages were counted, or the stream
has ended, it prints `LINES FIRST LAST`: when the first and the last came, by the clock that all processes share.
"""

import asyncio
import ssl
import sys
import time
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from h2.settings import SettingCodes

HOST: Final = "127.0.0.1"
WINDOW_BYTES: Final = 4 * 1024 * 1024
PREFIX_BYTES: Final = 5


class LineCounter:
    """Counts the messages in what arrives, wherever it is cut."""

    def __init__(self) -> None:
        self.count = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take some bytes."""
        data = self._rest + data
        at, end = 0, len(data)
        while end - at >= PREFIX_BYTES:
            stop = at + PREFIX_BYTES + int.from_bytes(data[at + 1 : at + PREFIX_BYTES], "big")
            if stop > end:
                break
            at = stop
            self.count += 1
        self._rest = data[at:]


async def read(port: int, request: bytes, wanted: int) -> tuple[int, float, float]:
    """Read a log; give how many lines came, and when the first and the last of them did."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES})
    connection.increment_flow_control_window(WINDOW_BYTES)
    connection.send_headers(
        1,
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/proto.Gofer/GetTaskRunLogs"),
            (":authority", HOST),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ],
    )
    connection.send_data(1, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
    writer.write(connection.data_to_send())
    counter = LineCounter()
    first = 0.0
    ended = False
    while not ended and counter.count < wanted:
        for event in connection.receive_data(await reader.read(256 * 1024)):
            if isinstance(event, DataReceived):
                first = first or time.monotonic()
                counter.feed(event.data)
                connection.acknowledge_received_data(event.flow_controlled_length, 1)
            ended = ended or isinstance(event, StreamEnded)
        writer.write(connection.data_to_send())
    writer.close()
    return counter.count, first, time.monotonic()


if __name__ == "__main__":
    lines, begun, over = asyncio.run(read(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write(f"{lines} {begun} {over}\n")
