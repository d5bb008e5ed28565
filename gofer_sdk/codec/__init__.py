"""Messages to bytes and back: the seam between the generated classes and gRPC.

`encode` and `decode` are the codec. It is strict: what is cut short, overflows, is no UTF-8, nests more than 100 levels
deep or ends a group that did not begin is MalformedMessage. It is tolerant where protobuf asks for it: fields in any
order, repeated numbers packed or not, a sub-message in several parts (merged), unknown enum values (kept by number) and
unknown fields (kept, and written again). Where google's own decoder has a choice it does as google's does, but for two
cases: a varint whose tenth byte overflows 64 bits is refused, as the Go implementation refuses it, and a field with the
number 0 is refused everywhere, also in messages without fields and in unknown groups.

`WireCodec` is the same for grpclib's `codec=`. grpclib calls it on the event loop, and pure Python takes some 10 ms for
each 250 KiB of small fields. A server therefore makes it with `defer_above_bytes=OFF_LOOP_BYTES` and does the large
ones itself, in a thread:

    request = await stream.recv_message()
    if isinstance(request, Undecoded):
        request = await asyncio.to_thread(request.decode)
    ...
    if rough_size(reply) > OFF_LOOP_BYTES:
        reply = Raw(await asyncio.to_thread(encode, reply))
    await stream.send_message(reply)
"""

import sys
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

import betterproto2
from grpclib.encoding.base import CodecBase

from gofer_sdk.codec.decoder import Decoder, decoder_of
from gofer_sdk.codec.encoder import encoder_of
from gofer_sdk.codec.faults import MalformedMessage as MalformedMessage
from gofer_sdk.codec.faults import UnencodableMessage as UnencodableMessage

M = TypeVar("M", bound=betterproto2.Message)

MAX_DEPTH = 100
"""How deep sub-messages and groups may nest; google's limit."""
OFF_LOOP_BYTES = 64 * 1024
"""From this size on a message is coded in a thread."""


class Raw(bytes):
    """A message that is encoded already; WireCodec lets it through as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecoded(Generic[M]):
    """A message that is too large to be decoded on the event loop."""

    data: bytes
    message_type: type[M]

    def decode(self) -> M:
        """Return the message; takes a while, so call it in a thread. Raises MalformedMessage."""
        return decode(self.message_type, self.data)


def encode(message: betterproto2.Message) -> bytes:
    """Return the bytes of a message.

    Raises UnencodableMessage, naming the field, where one holds what has no bytes: a number beyond 64 bits, half a
    surrogate pair, two members of one oneof, or a value of another type.
    """
    try:
        return encoder_of(type(message))(message)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        why = "it is no UTF-8" if isinstance(fault, UnicodeEncodeError) else fault
        raise UnencodableMessage(f"{_faulty_field(message)} can't be encoded: {why}") from fault


def decode(message_type: type[M], data: bytes, *, most_parts: int = sys.maxsize) -> M:
    """Return the message of a type that the bytes hold.

    Parts are the entries of lists and maps, and those that are messages count for each of their fields, too: two bytes
    make a message that takes hundreds. Raises MalformedMessage, naming the type, where the bytes hold none, or have
    more parts.
    """
    decoder = cast("Decoder[M]", decoder_of(message_type))
    try:
        return decoder(data, 0, len(data), None, MAX_DEPTH, [most_parts])
    except IndexError as fault:
        raise MalformedMessage(f"not a {message_type.__name__}: it is cut short") from fault
    except UnicodeDecodeError as fault:
        raise MalformedMessage(f"not a {message_type.__name__}: a text in it is not UTF-8") from fault
    except MalformedMessage as fault:
        raise MalformedMessage(f"not a {message_type.__name__}: {fault}") from fault


def rough_size(message: betterproto2.Message) -> int:
    """Return about how many bytes a message would have, in a few microseconds whatever its size.

    Of a list or a map only the middle element is looked at, so an odd one among many may be missed.
    """
    # Asked of every reply: by exact types, as betterproto2's classes answer isinstance and truth slowly.
    size = 0
    for value in vars(message).values():
        kind = type(value)
        if kind is str or kind is bytes:
            size += len(value)
        elif value is None or kind is int or kind is bool or isinstance(value, int):
            size += _LITTLE
        elif kind is list or kind is dict:
            size += _rough_size(value)
        else:
            size += rough_size(value) if hasattr(value, "__dict__") else _LITTLE
    return size


_LITTLE: Final = 2


def _rough_size(value: object) -> int:
    match value:
        case str() | bytes():
            return len(value)
        case list() if value:
            return len(value) * (_LITTLE + _rough_size(value[len(value) // 2]))
        case dict() if value:
            key, item = next(iter(value.items()))
            return len(value) * (4 + _rough_size(key) + _rough_size(item))
        case int() | float():
            return _LITTLE
        case betterproto2.Message():
            return rough_size(value)
        case _:
            return _LITTLE


def _faulty_field(message: betterproto2.Message) -> str:
    """Return the path to the first field that can't be encoded, as Message.field.field."""
    kind = type(message)
    for name, value in vars(message).items():
        if name == "_unknown_fields" or value is None:
            continue
        try:
            encoder_of(kind)(kind(**{name: value}))
        except (AttributeError, KeyError, TypeError, ValueError):
            inner = _faulty_field(value) if isinstance(value, betterproto2.Message) else ""
            return f"{kind.__name__}.{name}{inner[inner.find('.') :] if '.' in inner else ''}"
    return kind.__name__


class WireCodec(CodecBase):
    """The codec for grpclib's `codec=`; one may serve any number of servers and channels.

    With `defer_above_bytes` a longer message is not decoded but handed over as Undecoded; without it everything is
    decoded at once, which is what a client wants. Encoding takes messages and Raw.
    """

    __content_subtype__ = "proto"

    def __init__(self, *, defer_above_bytes: int | None = None) -> None:
        self._defer_above_bytes = defer_above_bytes

    def encode(self, message: object, message_type: type[betterproto2.Message]) -> bytes:
        """Return the bytes of a message, which must be of exactly the given type, or Raw as it is.

        Raises TypeError for anything else, MalformedMessage as `encode` does.
        """
        if isinstance(message, Raw):
            return message
        if type(message) is not message_type:
            raise TypeError(f"a {message_type.__name__} was to be sent, not a {type(message).__name__}")
        return encode(message)

    def decode(self, data: bytes, message_type: type[M]) -> M | Undecoded[M]:
        """Return the message, or what to decode in a thread. Raises MalformedMessage as `decode` does."""
        if self._defer_above_bytes is not None and len(data) > self._defer_above_bytes:
            return Undecoded(data=data, message_type=message_type)
        return decode(message_type, data)
