"""Any output with any secrets, cut anywhere: no secret gets through, and nothing else is touched.

The first byte says how many secrets there are; they follow, then the sizes of the pieces, each ended by a zero, and
then the output.
"""

from collections.abc import Iterator
from typing import Final

from gofer.core.masking import MASK, MIN_CHARACTERS, Masker, masked_text, masked_values
from gofer.core.secret import Secret
from tests.fakes.plain_masking import by_the_whole_text
from tests.fuzz.target import Target, every_cut

MAX_SECRETS: Final = 4


def check(data: bytes) -> None:
    """Mask the output at every cut; compare with the slow and obvious way, and look for the secrets themselves."""
    if not data:
        return
    *texts, sizes, output = data[1:].split(b"\0", (data[0] % MAX_SECRETS) + 1) if b"\0" in data[1:] else (b"", b"")
    secrets = [Secret(text.decode("utf-8", "surrogateescape")) for text in texts]
    expected = by_the_whole_text(output, masked_values(secrets))
    for pieces in every_cut(output, sizes):
        found = _masked(secrets, pieces)
        assert expected == found, f"cut into {pieces}"
    for secret in secrets:
        _look_for(secret, expected)
    assert (
        masked_text(output.decode("utf-8", "surrogateescape"), secrets).encode("utf-8", "surrogateescape") == expected
    )


def _masked(secrets: list[Secret], pieces: list[bytes]) -> bytes:
    masker = Masker(secrets)
    longest = max(map(len, masked_values(secrets)), default=1)
    out = []
    for piece in pieces:
        out.append(masker.feed(piece))
        assert masker.held_bytes < longest, "more is kept back than may become a secret"
    out.append(masker.finish())
    assert masker.held_bytes == 0
    return b"".join(out)


def _look_for(secret: Secret, output: bytes) -> None:
    """Fail if the secret itself stands in what was not masked."""
    text = secret.reveal().strip()
    if len(text) < MIN_CHARACTERS or "*" in text:  # stars are what a mask is made of
        return
    value = text.encode("utf-8", "surrogateescape")
    assert all(value not in part for part in output.split(MASK)), f"{value!r} got through"


def seeds() -> Iterator[bytes]:
    """Give outputs whose secrets are cut, repeated, overlapping, of several lines and of odd bytes."""
    yield b"\x00hunter22\0\x03\0pw=hunter22 ok\n"
    yield b"\x01abcd\0cdef\0\x01\0abcdef cdef abcd"
    yield b"\x01abaab\0abababababbb\0\x02\x05\0abaabaababababababbb"
    yield b"\x00--BEGIN KEY--\nabcdefghijkl\nmnop\n--END KEY--\n\0\x07\0key: --BEGIN KEY--\r\nabcdefghijkl\r\n"
    yield "\x02äöüß\0  x \n \0hunter\0\x01\x02\x03\0äöü äöüß hunterhunter".encode()
    yield b"\x03\xff\xfe\xfd\xfc\0aaaa\0aaaaa\0\n\n\n\n\0\x04\0\xff\xfe\xfd\xfcaaaaaaaaa\n\n\n\n\n"


TARGET: Final = Target(check=check, seeds=seeds, max_bytes=128)
