"""Headers that are looked up are those that hpack itself would give."""

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKDecodingError
from hypothesis import given
from hypothesis import strategies as st

from gofer.api.headers import MOST_KEPT, USUAL, CallDecoder, ReplyEncoder, written

OK = [(b":status", b"200"), (b"content-type", b"application/grpc+proto")]
END = [(b"grpc-status", b"0")]
REFUSED = [(b"grpc-status", b"5"), (b"grpc-message", b"no such run")]
CALL = [(b":method", b"POST"), (b":path", b"/proto.Gofer/GetRun"), (b"te", b"trailers")]


def test_usual_headers_are_written_once_and_read_by_any_client() -> None:
    encoder = ReplyEncoder(written())
    client = Decoder()

    blocks = [encoder.encode(headers) for headers in (OK, END, OK, REFUSED, OK, END, REFUSED)]

    assert [client.decode(block, raw=True) for block in blocks] == [OK, END, OK, REFUSED, OK, END, REFUSED]
    assert blocks[0] == blocks[2] == blocks[4]
    assert blocks[1] == blocks[5]


def test_a_new_size_of_the_table_is_told_before_usual_headers() -> None:
    encoder = ReplyEncoder(written())
    client = Decoder()

    encoder.header_table_size = 128
    blocks = [encoder.encode(OK), encoder.encode(OK)]

    assert [client.decode(block, raw=True) for block in blocks] == [OK, OK]
    assert client.header_table_size == 128
    assert blocks[1] == written()[USUAL[0]]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([b"a", b"b", b":path"]), st.sampled_from([b"1", b"2", b"x" * 900]))),
        max_size=40,
    )
)
def test_calls_mean_what_they_mean_to_hpack(calls: list[list[tuple[bytes, bytes]]]) -> None:
    encoder, ours, theirs = Encoder(), CallDecoder(), Decoder()

    for call in calls:
        for block in (encoder.encode(call), encoder.encode(call)):
            assert theirs.decode(block, raw=True) == ours.decode(block, raw=True)


def test_what_a_caller_does_to_its_headers_is_its_own() -> None:
    encoder, decoder = Encoder(), CallDecoder()
    decoder.decode(encoder.encode(CALL), raw=True)

    decoder.decode(encoder.encode(CALL), raw=True).clear()

    assert decoder.decode(encoder.encode(CALL), raw=True) == CALL


def test_a_place_that_is_not_in_the_table_is_refused_each_time() -> None:
    decoder = CallDecoder()

    for _ in range(2):
        with pytest.raises(HPACKDecodingError):
            decoder.decode(b"\xfe", raw=True)


def test_few_blocks_are_kept() -> None:
    decoder = CallDecoder()

    for number in range(0x81, 0x81 + 3 * MOST_KEPT):
        decoder.decode(bytes([number]), raw=True)

    assert len(decoder._kept) <= MOST_KEPT  # noqa: SLF001
