"""Keeping what must not be read from a stolen file: secrets sealed with PyNaCl's SecretBox, tokens as their hashes."""

import hashlib
import secrets
from hmac import compare_digest
from pathlib import Path
from typing import Final, NewType

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random

from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings
from gofer.core.access import TokenHash, TokenId
from gofer.core.errors import FailedPrecondition, NoKey
from gofer.core.secret import Secret
from gofer.files import read_private_file, write_private_file

SealingKey = NewType("SealingKey", bytes)
"""32 bytes. Never shown."""

KEY_FILE: Final = "encryption.key"
TOKEN_BYTES: Final = 32
TOKEN_ID_BYTES: Final = 6
_VERSION: Final = b"\x01"  # of the sealed form: this byte, SecretBox's nonce, its ciphertext


class Sealer:
    """Seals with the current key, opens with that and with the previous ones. Safe to use from any thread."""

    def __init__(self, current: SealingKey, *, previous: tuple[SealingKey, ...] = ()) -> None:
        self._current = _box(current)
        self._previous = tuple(_box(key) for key in previous)

    def __repr__(self) -> str:
        return f"Sealer(current and {len(self._previous)} previous keys)"

    def seal(self, plaintext: bytes) -> bytes:
        """Encrypt; the same plaintext gives another result each time. The length shows through."""
        return _VERSION + self._current.encrypt(plaintext)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt. `NoKey` if no key fits or the bytes were changed; it tells nothing of the content."""
        for box in (self._current, *self._previous):
            plaintext = _try_open(box, sealed)
            if plaintext is not None:
                return plaintext
        raise NoKey(
            "a stored secret can't be opened with any of the encryption keys; "
            "put the key that it was sealed with back into secret_store.sqlite.previous_encryption_keys"
        )

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the current key opens it, so that it need not be sealed again."""
        return _try_open(self._current, sealed) is not None


def make_token() -> Secret:
    """Make the text of a new token: 64 lower-case hexadecimal digits that nobody can guess."""
    return Secret(secrets.token_hex(TOKEN_BYTES))


def make_token_id() -> TokenId:
    """Make the public name of a new token: 12 lower-case hexadecimal digits."""
    return TokenId(secrets.token_hex(TOKEN_ID_BYTES))


def hash_token(text: str) -> TokenHash:
    """Give what is stored of a token: SHA-256 of its text, not of the bytes that its digits stand for."""
    return TokenHash(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def is_same_hash(one: TokenHash, other: TokenHash) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return compare_digest(one, other)


def open_sealer(settings: Settings) -> Sealer:
    """Make the server's sealer: keys from the settings, or dev mode's own, made at first use in the data folder.

    Blocks on the disk; the data folder must be there and be locked. `FailedPrecondition` if the key file is unusable.
    """
    store = settings.secret_store.sqlite
    previous = tuple(SealingKey(key.encode()) for key in store.previous_encryption_keys)
    if store.encryption_key != SAMPLE_ENCRYPTION_KEY:
        return Sealer(SealingKey(store.encryption_key.encode()), previous=previous)
    if not settings.development.default_encryption:
        raise FailedPrecondition("secret_store.sqlite.encryption_key is the sample's, which everybody knows: change it")
    return Sealer(_own_key(settings), previous=previous)


def _own_key(settings: Settings) -> SealingKey:
    path = settings.data_folder / KEY_FILE
    content = read_private_file(path)
    if content is None:
        _refuse_to_lose(path, settings)
        content = random(SecretBox.KEY_SIZE)
        write_private_file(path, content)
    if len(content) != SecretBox.KEY_SIZE:
        raise FailedPrecondition(
            f"{path} is no encryption key: it has {len(content)} bytes, not {SecretBox.KEY_SIZE}; "
            "restore it from a backup, or remove it together with the databases beside it",
            path=str(path),
        )
    return SealingKey(content)


def _refuse_to_lose(path: Path, settings: Settings) -> None:
    """Raise where there is something that was sealed with the key that is missing, or may be."""
    database = settings.server.storage_path
    if database.exists():
        raise FailedPrecondition(
            f"{path} is missing, and what {database} holds under encryption could never be read again without it: "
            "restore it from a backup; if no secret is worth keeping, "
            f"make a new key with: head -c {SecretBox.KEY_SIZE} /dev/urandom > {path}",
            path=str(path),
        )


def _box(key: SealingKey) -> SecretBox:
    if len(key) != SecretBox.KEY_SIZE:
        raise ValueError(f"an encryption key has {SecretBox.KEY_SIZE} bytes, not {len(key)}")
    return SecretBox(key)


def _try_open(box: SecretBox, sealed: bytes) -> bytes | None:
    if sealed[:1] != _VERSION:
        return None
    try:
        return box.decrypt(sealed[1:])
    except (CryptoError, ValueError):  # a wrong key, or too short to be anything
        return None
