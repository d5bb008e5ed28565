"""A ready message is read, and what is none is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk._proto import proto
from gofer_sdk.pipeline import Pipeline, Task, after
from gofer_sdk.pipeline.message import MessageFault, decode_config

ONE = Task(id="one", image="i", variables={"A": "ü"})
PIPELINE = Pipeline(
    id="nightly", parallelism=2, tasks=[ONE, Task(id="two", image="i", depends_on=[after(ONE, "failure")])]
)


def test_binary_and_json_say_the_same() -> None:
    message = PIPELINE.to_message()

    assert message == decode_config(bytes(message))
    assert message == decode_config(message.to_json().encode())
    assert message == decode_config(b" \n" + message.to_json(indent=2).encode())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"hello", "it is no"),
        (b"\x0a\x05ab", "no message of protobuf, and no JSON either"),
        (b"\x20\x01", "there is no id"),
        (b"{", "does not fit"),
        (b"{}", "there is no id"),
        (b'{"id": "abc", "nmae": "x"}', "nmae"),
        (b'{"id": 3}', "does not fit"),
        (b'{"id": "a", "id": "b"}', "'id' is there twice"),
        (b'{"id": "a", "parallelism": 1.5}', "1.5 is no whole number"),
        (b'{"id": "a", "parallelism": "x"}', "does not fit"),
        (b'{"id": "a", "tasks": 3}', "does not fit"),
        (b'{"id": "a", "tasks": [{"dependsOn": {"x": "SOMETIMES"}}]}', "SOMETIMES"),
        (b'{"id": "\xff"}', "does not fit"),
        (b'{"id": "a", "tasks": ' + b"[" * 100_000, "does not fit"),
    ],
)
def test_what_is_no_pipeline_is_told(data: bytes, expected: str) -> None:
    with pytest.raises(MessageFault, match=expected):
        decode_config(data)


@pytest.mark.fuzz
@given(st.binary() | st.builds(lambda text: b"{" + text.encode() + b"}", st.text()))
def test_any_bytes_are_a_message_or_a_fault(data: bytes) -> None:
    try:
        config = decode_config(data)
    except MessageFault:
        return

    assert isinstance(config, proto.UserPipelineConfig)
