"""A ready message is read, and what is none is told."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from gofer_sdk.codec.shape import shape_of
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
        (b"{", "JSON can't be read"),
        (b"{}", "there is no id"),
        (b'{"id": "abc", "nmae": "x"}', "nmae"),
        (b'{"id": 3}', "does not fit"),
        (b'{"id": "a", "id": "b"}', "'id' is there twice"),
        (b'{"id": "a", "parallelism": 1.5}', "1.5 is no whole number"),
        (b'{"id": "a", "parallelism": "x"}', "does not fit"),
        (b'{"id": "a", "tasks": 3}', "does not fit"),
        (b'{"id": "a", "tasks": [{"dependsOn": {"x": "SOMETIMES"}}]}', "SOMETIMES"),
        (b'{"id": "a", "tasks": ["b"]}', r"does not fit: tasks\[0\] is a text: write an object"),
        (b'{"id": "a", "tasks": [{"command": "ls -l"}]}', r"does not fit: tasks\[0\].command is a text: write a list"),
        (b'{"id": "a", "tasks": [{"command": ["ls", 1]}]}', r"tasks\[0\].command\[1\] is a number: write a text"),
        (b'{"id": "a", "tasks": [{"dependsOn": ["b"]}]}', r"tasks\[0\].dependsOn is a list: write an object"),
        (
            b'{"id": "a", "tasks": [{"depends_on": {"b": "success"}}]}',
            r"depends_on.b is 'success': write one of .*SUCCESS",
        ),
        (b'{"id": "a", "tasks": [{"variables": {"A": 1}}]}', r"tasks\[0\].variables.A is a number: write a text"),
        (b'{"id": "a", "tasks": [{"injectApiToken": "yes"}]}', r"injectApiToken is a text: write true or false"),
        (b'{"id": "a", "tasks": [null]}', r"tasks\[0\] is null: write an object"),
        (b'{"id": "a", "parallelism": true}', "parallelism is true: write a whole number"),
        (b'{"id": "a", "parallelism": 9223372036854775808}', "does not fit into 64 bits"),
        (b'{"id": "a", "runTimeout": "1h", "run_timeout": "2h"}', "run_timeout and runTimeout are one field"),
        (b'{"id": 1, "name": 2}', "id is a number: .*; name is a number: "),
        (b'{"id": "\xff"}', "JSON can't be read"),
        (b'{"id": "a", "tasks": ' + b"[" * 100_000, "JSON can't be read"),
    ],
)
def test_what_is_no_pipeline_is_told(data: bytes, expected: str) -> None:
    with pytest.raises(MessageFault, match=expected):
        decode_config(data)


def test_json_may_name_fields_either_way_leave_them_out_and_begin_with_a_mark() -> None:
    text = """{
        "id": "abc", "name": null, "parallelism": "2", "run_timeout": "1h",
        "tasks": [{"id": "say", "dependsOn": {"one": "ANY", "two": 2}, "registry_auth": {"user": "me", "pass": "pw"}}]
    }"""

    config = decode_config(b"\xef\xbb\xbf" + text.encode())

    statuses = proto.UserPipelineTaskConfigRequiredParentStatus
    say = proto.UserPipelineTaskConfig(
        id="say",
        depends_on={"one": statuses.ANY, "two": statuses.SUCCESS},
        registry_auth=proto.RegistryAuth(user="me", pass_="pw"),
    )
    assert config == proto.UserPipelineConfig(id="abc", parallelism=2, run_timeout="1h", tasks=[say])


VALUES: list[object] = [None, True, 1, -1, "x", "1", [], {}, [1], ["x"], [None], [[]], [{}], {"a": 1}, {"a": "x"}]
FIELDS = [field.name for field in shape_of(proto.UserPipelineConfig)]
TASK_FIELDS = [field.name for field in shape_of(proto.UserPipelineTaskConfig)]


def test_any_value_of_any_field_is_a_message_or_a_fault() -> None:
    """Lists in the place of maps ended in an AssertionError, and a text in the place of a list became its letters."""
    trees: list[dict[str, object]] = [{"id": "abc", field: value} for field in FIELDS for value in VALUES]
    trees += [{"id": "abc", "tasks": [{field: value}]} for field in TASK_FIELDS for value in VALUES]
    taken = 0
    for tree in trees:
        with suppress(MessageFault):
            config = decode_config(json.dumps(tree).encode())
            assert decode_config(encode(config)) == config
            taken += 1

    assert 0 < taken < len(trees) / 2


@pytest.mark.fuzz
@given(st.binary() | st.builds(lambda text: b"{" + text.encode() + b"}", st.text()))
def test_any_bytes_are_a_message_or_a_fault(data: bytes) -> None:
    try:
        config = decode_config(data)
    except MessageFault:
        return

    assert isinstance(config, proto.UserPipelineConfig)
