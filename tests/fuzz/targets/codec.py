"""Any bytes as any message of the contract: taken or refused as google does, and the same when written again."""

import random
from collections.abc import Callable, Iterator
from typing import Final

from gofer_sdk.codec import MalformedMessage, decode, encode
from gofer_sdk.codec.decoder import decoder_of
from gofer_sdk.codec.encoder import encoder_of
from tests.fuzz.target import Target
from tests.unit.gofer_sdk.test_codec_google import OURS, assert_same_view, samples

MESSAGES: Final = tuple(sorted(OURS, key=lambda name: (not name.endswith("Request"), name)))  # the requests first
SEEDS_OF_EACH: Final = 2


def check(data: bytes) -> None:
    """Read the rest of the bytes as the message that the first two name."""
    if len(data) < 2:
        return
    name = MESSAGES[int.from_bytes(data[:2], "big") % len(MESSAGES)]
    body = data[2:]
    assert_same_view(name, body)
    try:
        message = decode(OURS[name], body)
    except MalformedMessage:
        return
    again = encode(message)
    assert decode(OURS[name], again) == message, f"{name} {body.hex()}: read again, it is another message"
    assert encode(decode(OURS[name], again)) == again, f"{name} {body.hex()}: written again, it is other bytes"


def seeds() -> Iterator[bytes]:
    """Give some whole messages of each kind."""
    for number, name in enumerate(MESSAGES):
        for data in samples(name, SEEDS_OF_EACH):
            yield number.to_bytes(2, "big") + data
    rng = random.Random(4711)
    for number in range(0, len(MESSAGES), 7):
        yield number.to_bytes(2, "big") + rng.randbytes(12)


def generated() -> Iterator[Callable[..., object]]:
    """Give the functions that the codec has written for itself."""
    for kind in OURS.values():
        yield decoder_of(kind)
        yield encoder_of(kind)


TARGET: Final = Target(check=check, seeds=seeds, generated=generated, max_bytes=2048)
