"""Read a pipeline's message: as bytes of protobuf or as its JSON."""

import json
from codecs import BOM_UTF8
from typing import NoReturn

from gofer_sdk._proto import proto
from gofer_sdk.codec import MalformedMessage, decode, encode
from gofer_sdk.pipeline.json_shape import json_faults
from gofer_sdk.rules.text import list_faults


class MessageFault(ValueError):
    """The bytes are no pipeline; the text says why."""


def decode_config(data: bytes) -> proto.UserPipelineConfig:
    """Read a message, binary or JSON; JSON is what begins with `{` (white space aside), which no binary one does.

    Raises:
        MessageFault: it is neither, or it names no pipeline.

    """
    data = data.removeprefix(BOM_UTF8)  # which some editors write before JSON, and which begins no message
    if not data.strip():
        raise MessageFault("it is empty")
    config = _from_json(data) if data.lstrip().startswith(b"{") else _from_binary(data)
    if not config.id:
        raise MessageFault("it is no pipeline: there is no id in it")
    return config


def _from_binary(data: bytes) -> proto.UserPipelineConfig:
    try:
        return decode(proto.UserPipelineConfig, data)
    except MalformedMessage as error:
        raise MessageFault(f"it is no message of protobuf, and no JSON either: {error}") from error


def _from_json(data: bytes) -> proto.UserPipelineConfig:
    try:
        tree = json.loads(
            data, object_pairs_hook=_without_duplicates, parse_float=_no_decimals, parse_constant=_no_decimals
        )
    except MessageFault:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageFault(f"its JSON can't be read: {error}") from error
    faults = tuple(json_faults(tree, proto.UserPipelineConfig))
    if faults:
        raise MessageFault(f"its JSON does not fit: {list_faults(faults)}")
    config = proto.UserPipelineConfig.from_dict(tree)
    try:
        encode(config)
    except MalformedMessage as error:  # a number of more than 64 bits, or half a surrogate pair
        raise MessageFault(f"its JSON does not fit: {error}") from error
    return config


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise MessageFault(f"the name {repeated!r} is there twice in one object of its JSON")
    return found


def _no_decimals(text: str) -> NoReturn:
    raise MessageFault(f"{text} is no whole number")
