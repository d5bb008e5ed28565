"""Our codec against google's protobuf: every message of the contract, both ways, whole and broken.

The two must agree on what is a message and on what it says. They differ in two cases, on purpose:
- Of a varint whose tenth byte overflows 64 bits google drops the high bits. We refuse it, as the Go implementation
  does: a sender that means such a number has a defect, and a silently smaller number is worse than an error.
- A field with the number 0 is refused by google in messages with fields, but overlooked in messages without and in
  unknown groups. We refuse it everywhere.
"""

import dataclasses
import functools
import importlib
import random
from collections.abc import Iterator, MutableMapping
from typing import cast

import betterproto2
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from gofer_sdk._proto.message_pool import default_message_pool
from gofer_sdk.codec import MalformedMessage, decode, encode
from tests.google_wire import google_classes

Plain = dict[str, object]
Names = tuple[str, ...]

importlib.import_module("gofer_sdk._proto.proto")  # fills the pool
OURS = {url.rpartition("/")[2]: kind for url, kind in default_message_pool.url_to_type.items()}
GOOGLES = google_classes()
STRICTER_ON_PURPOSE = ("overflows 64 bits", "has the number 0")
MUTATIONS_PER_MESSAGE = 80
MESSAGES_PER_TEST = 10
NAMES = tuple(GOOGLES)
BATCHES = [NAMES[at : at + MESSAGES_PER_TEST] for at in range(0, len(NAMES), MESSAGES_PER_TEST)]
every_message = pytest.mark.parametrize("names", BATCHES, ids=[f"{batch[0]} to {batch[-1]}" for batch in BATCHES])


def values(field: FieldDescriptor) -> st.SearchStrategy[object]:
    """Any value of one field, as Python's own types; of a repeated field any one of its items."""
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return st.text(max_size=12)
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=12)
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_INT64:
            return st.integers(-300, 20_000) | st.integers(-(1 << 63), (1 << 63) - 1)
        case FieldDescriptor.TYPE_ENUM:
            return st.sampled_from(enum_numbers(field)) | st.integers(-(1 << 31), (1 << 31) - 1)
        case _:
            return plain_messages(inner(field))


def inner(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None
    return field.message_type


def descriptor_of(name: str) -> Descriptor:
    return cast("Descriptor", GOOGLES[name].DESCRIPTOR)


def enum_numbers(field: FieldDescriptor) -> list[int]:
    assert field.enum_type is not None
    return [value.number for value in field.enum_type.values]


@functools.cache  # to make the strategies takes ten times as long as to draw from them
def plain_messages(descriptor: Descriptor) -> st.SearchStrategy[Plain]:
    """Any message of a kind, as a dict by field name; fields that are not set are left out."""
    fields: dict[str, st.SearchStrategy[object]] = {}
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            fields[field.name] = st.dictionaries(values(key), values(value), max_size=3)
        elif field.is_repeated:
            fields[field.name] = st.lists(values(field), max_size=3)
        else:
            fields[field.name] = values(field)
    groups = [[field.name for field in oneof.fields] for oneof in descriptor.oneofs]

    def one_of_each(plain: Plain) -> Plain:
        spare = {name for group in groups for name in [name for name in group if name in plain][1:]}
        return {name: value for name, value in plain.items() if name not in spare}

    return st.fixed_dictionaries({}, optional=fields).map(one_of_each)


def as_googles(message: Message, plain: Plain) -> Message:
    """Fill google's message with plain values."""
    for name, value in plain.items():
        place = getattr(message, name)
        match value:
            case dict() if hasattr(place, "GetEntryClass"):
                fill_map(place, value)
            case dict():
                place.SetInParent()
                as_googles(place, value)
            case list():
                fill_list(place, value)
            case _:
                setattr(message, name, value)
    return message


def fill_map(place: MutableMapping[object, Message | object], values: Plain) -> None:
    for key, item in values.items():
        if isinstance(item, dict):
            as_googles(cast("Message", place[key]), item)
        else:
            place[key] = item


def fill_list(place: RepeatedCompositeFieldContainer[Message], values: list[object]) -> None:
    for item in values:
        if isinstance(item, dict):
            as_googles(place.add(), item)
        else:
            place.append(cast("Message", item))


def as_ours(descriptor: Descriptor, plain: Plain) -> betterproto2.Message:
    """Make our message from plain values."""
    kind = OURS[descriptor.full_name]
    names = {betterproto2.FieldMetadata.get(field).number: field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass, as all generated ones
    return kind(
        **{
            names[field.number]: ours_value(field, plain[field.name])
            for field in descriptor.fields
            if field.name in plain
        }
    )


def ours_value(field: FieldDescriptor, value: object) -> object:
    if field.message_type is None:
        return value
    if field.message_type.GetOptions().map_entry:
        item_field = field.message_type.fields_by_name["value"]
        return {key: ours_value(item_field, item) for key, item in cast("Plain", value).items()}
    if isinstance(value, list):
        return [as_ours(field.message_type, item) for item in value]
    return as_ours(field.message_type, cast("Plain", value))


def googles_view(name: str, data: bytes) -> bytes | None:
    """What google reads, unknown fields included, in an order of its own; None where it refuses."""
    try:
        return GOOGLES[name].FromString(data).SerializeToString(deterministic=True)
    except DecodeError:
        return None


def assert_same_view(name: str, data: bytes) -> None:
    theirs = googles_view(name, data)
    try:
        ours = decode(OURS[name], data)
    except MalformedMessage as fault:
        if theirs is not None and not any(reason in str(fault) for reason in STRICTER_ON_PURPOSE):
            pytest.fail(f"{name} {data.hex()}: google takes it, we say: {fault}")
    else:
        assert theirs is not None, f"{name} {data.hex()}: google refuses it, we read {ours}"
        assert theirs == googles_view(name, encode(ours)), f"{name} {data.hex()}"


def broken(data: bytes, rng: random.Random) -> bytes:
    """Bytes that were a message until something happened to them."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                out[at:at] = rng.randbytes(rng.randint(1, 4))
            case 1:
                del out[at : at + rng.randint(1, 4)]
            case 2 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 3 if at < len(out):
                out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 4:
                out += out[at:]
            case _:
                out[at:at] = wild_field(rng)
    return bytes(out)


def wild_field(rng: random.Random, depth: int = 3) -> bytes:
    """Any field at all: numbers known and unknown, all wire types, groups, tags and lengths with leading zeros."""
    wire_type = rng.choice((0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7)[: 11 if depth else 6])
    number = rng.choice((0, *range(1, 13), *range(100, 106), 2**29 - 1))
    tag = padded(number << 3 | wire_type, rng)
    match wire_type:
        case 0:
            return tag + padded(rng.choice((0, 1, 300, 1 << 31, 1 << 35, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)), rng)
        case 1:
            return tag + rng.randbytes(8)
        case 2:
            body = b"".join(wild_field(rng, depth - 1) for _ in range(rng.randint(0, 3))) if depth else b"text"
            return tag + padded(len(body), rng) + body
        case 3:
            inner = b"".join(wild_field(rng, depth - 1) for _ in range(rng.randint(0, 2)))
            return tag + inner + padded(number << 3 | 4, rng)
        case 5:
            return tag + rng.randbytes(4)
        case _:
            return tag


def padded(value: int, rng: random.Random) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 3, 5))):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def samples(name: str, count: int) -> Iterator[bytes]:
    """Some valid encodings of a message: every field set, then ever fewer."""
    rng = random.Random(name)
    for _ in range(count):
        data = b"".join(wild_field(rng) for _ in range(4))
        full = as_googles(GOOGLES[name](), filled(descriptor_of(name), rng)).SerializeToString()
        yield full + data if googles_view(name, full + data) is not None and rng.random() < 0.3 else full


def filled(descriptor: Descriptor, rng: random.Random) -> Plain:
    plain: Plain = {}
    for field in descriptor.fields:
        if field.containing_oneof is not None and any(other.name in plain for other in field.containing_oneof.fields):
            continue
        if rng.random() < 0.2:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            plain[field.name] = {str(n): filled_value(value, rng) for n in range(rng.randint(1, 2))}
        elif field.is_repeated:
            plain[field.name] = [filled_value(field, rng) for _ in range(rng.randint(1, 2))]
        else:
            plain[field.name] = filled_value(field, rng)
    return plain


def filled_value(field: FieldDescriptor, rng: random.Random) -> object:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return rng.choice(("x", "ein Wörtchen", "z" * 130))
        case FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(5)
        case FieldDescriptor.TYPE_BOOL:
            return True
        case FieldDescriptor.TYPE_INT64:
            return rng.choice((1, 200, 1_763_000_000_000, -1))
        case FieldDescriptor.TYPE_ENUM:
            return rng.choice(enum_numbers(field))
        case _:
            return filled(inner(field), rng)


@every_message
@settings(max_examples=12)
@pytest.mark.fuzz
@given(data=st.data())
def test_a_message_says_the_same_to_google_and_to_us(names: Names, data: st.DataObject) -> None:
    for name in names:
        plain = data.draw(plain_messages(descriptor_of(name)), label=name)
        ours = as_ours(descriptor_of(name), plain)
        theirs = as_googles(GOOGLES[name](), plain)

        assert theirs == GOOGLES[name].FromString(encode(ours))
        assert ours == decode(type(ours), theirs.SerializeToString())


@every_message
def test_a_message_cut_short_anywhere_is_refused_where_google_refuses_it(names: Names) -> None:
    for name in names:
        for data in samples(name, 3):
            for end in range(len(data)):
                assert_same_view(name, data[:end])


@every_message
def test_a_broken_message_is_taken_or_refused_as_google_does(names: Names) -> None:
    for name in names:
        rng = random.Random(name)
        for data in samples(name, MUTATIONS_PER_MESSAGE):
            assert_same_view(name, broken(data, rng))


@every_message
def test_what_betterproto2_writes_we_read_and_we_write_the_same_bytes(names: Names) -> None:
    for name in names:
        for data in samples(name, 3):
            message = decode(OURS[name], data)

            assert encode(message) == bytes(message)


@settings(max_examples=300)
@pytest.mark.fuzz
@given(rng=st.randoms(use_true_random=False))
def test_any_sequence_of_fields_is_taken_or_refused_as_google_does(rng: random.Random) -> None:
    name = rng.choice(sorted(GOOGLES))

    assert_same_view(name, b"".join(wild_field(rng) for _ in range(rng.randint(1, 6))))
