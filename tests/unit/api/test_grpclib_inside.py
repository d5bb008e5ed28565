"""The names that grpclib and h2 keep private and gofer.api.grpclib_inside uses: a new version stops here first."""

import inspect
from importlib.metadata import version

import h2.connection
from grpclib import protocol, server
from grpclib.encoding.proto import ProtoCodec
from h2.connection import H2Connection
from h2.utilities import SizeLimitDict
from hpack import Decoder, Encoder


def test_it_is_the_version_whose_inside_is_known() -> None:
    assert version("grpclib") == "0.4.9"


async def test_a_server_has_what_its_connections_are_made_of() -> None:
    made = server.Server([], codec=ProtoCodec())

    assert {
        "_mapping",
        "_codec",
        "_status_details_codec",
        "_config",
        "_h2_config",
        "_handlers",
    } <= vars(made).keys()
    assert inspect.signature(server.Server._protocol_factory).parameters.keys() == {"self"}  # noqa: SLF001
    assert callable(made.__gc_step__)


def test_a_connection_and_a_handler_are_made_as_before() -> None:
    assert list(inspect.signature(protocol.H2Protocol).parameters) == ["handler", "config", "h2_config"]
    assert list(inspect.signature(server.Handler).parameters) == [
        "mapping",
        "codec",
        "status_details_codec",
        "dispatch",
    ]
    assert list(inspect.signature(server.Handler.accept).parameters) == ["self", "stream", "headers", "release_stream"]
    assert "headers_map[':path']" in inspect.getsource(server.request_handler)
    assert "mapping.get(method_name)" in inspect.getsource(server.request_handler)
    assert "self._tasks[stream] = " in inspect.getsource(server.Handler.accept)
    assert "self._cancelled.add(task)" in inspect.getsource(server.Handler.cancel)
    assert "self.closing = True" in inspect.getsource(server.Handler.close)


def test_a_stream_reads_and_sends_bytes_as_before() -> None:
    assert "self._stream = stream" in inspect.getsource(server.Stream.__init__)
    assert "self._method_name = method_name" in inspect.getsource(server.Stream.__init__)
    assert server.Stream._send_initial_metadata_done is False  # noqa: SLF001
    assert server.Stream._send_message_done is False  # noqa: SLF001
    assert "self.processors = {" in inspect.getsource(protocol.EventsProcessor)
    assert list(inspect.signature(protocol.Stream.recv_data).parameters) == ["self", "size"]
    assert list(inspect.signature(protocol.Stream.send_data).parameters) == ["self", "data", "end_stream"]
    assert "return await self.buffer.read(size)" in inspect.getsource(protocol.Stream.recv_data)
    assert {"add", "eof", "read", "unacked_size"} == {name for name in vars(protocol.Buffer) if name[0] != "_"}
    assert "self.handler.accept(" in inspect.getsource(protocol.EventsProcessor.process_request_received)
    assert "self._transport = transport" in inspect.getsource(protocol.Stream.__init__)
    assert "self._h2_connection = h2_connection" in inspect.getsource(protocol.Stream.__init__)
    assert "await self.connection.write_ready.wait()" in inspect.getsource(protocol.Stream.send_data)


def test_a_connection_remembers_closed_streams_as_before() -> None:
    assert "self._connection = connection" in inspect.getsource(protocol.Connection.__init__)
    assert "self._closed_streams[stream_id] = stream.closed_by" in inspect.getsource(H2Connection)
    assert type(vars(H2Connection())["_closed_streams"]) is SizeLimitDict


def test_a_connection_has_its_headers_coded_by_what_may_be_replaced() -> None:
    made = vars(H2Connection())

    assert type(made["encoder"]) is Encoder
    assert type(made["decoder"]) is Decoder
    assert made["decoder"].max_header_list_size == H2Connection.DEFAULT_MAX_HEADER_LIST_SIZE
    assert "decoder.decode(encoded_header_block, raw=True)" in inspect.getsource(h2.connection)
