import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.config.settings import (
    DevelopmentSettings,
    SecretStoreSettings,
    ServerSettings,
    Settings,
    SqliteSecretStoreSettings,
)
from gofer.core.errors import FailedPrecondition
from gofer.sealing import Sealer, SealingKey, hash_token, is_same_hash, make_token, make_token_id, open_sealer

OLD = SealingKey(b"o" * 32)
NEW = SealingKey(b"n" * 32)


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_again_and_never_shows(plaintext: bytes) -> None:
    sealer = Sealer(NEW)

    sealed = sealer.seal(plaintext)

    assert plaintext == sealer.open(sealed)
    assert sealed != sealer.seal(plaintext)
    assert len(plaintext) < 4 or plaintext not in sealed


def test_previous_keys_open_what_they_sealed_and_it_is_known_to_be_old() -> None:
    sealed = Sealer(OLD).seal(b"secret")
    sealer = Sealer(NEW, previous=(OLD,))

    assert sealer.open(sealed) == b"secret"
    assert not sealer.is_current(sealed)
    assert sealer.is_current(sealer.seal(b"secret"))


@given(st.binary(max_size=120))
def test_anything_else_is_refused_in_words(sealed: bytes) -> None:
    with pytest.raises(FailedPrecondition, match="previous_encryption_keys"):
        Sealer(NEW).open(sealed)


@given(st.integers(min_value=0, max_value=46), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(Sealer(NEW).seal(b"secret"))
    sealed[place] ^= change

    with pytest.raises(FailedPrecondition):
        Sealer(NEW).open(bytes(sealed))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 5"):
        Sealer(SealingKey(b"short"))


def test_keys_are_not_shown() -> None:
    assert "nnn" not in repr(Sealer(NEW))


def settings(folder: Path, *, key: str | None = None, previous: tuple[str, ...] = ()) -> Settings:
    store = SqliteSecretStoreSettings(previous_encryption_keys=previous)
    if key is not None:
        store = replace(store, encryption_key=key)
    return Settings(
        dev_mode=True,
        development=DevelopmentSettings(default_encryption=True),
        server=ServerSettings(storage_path=folder / "gofer.db"),
        secret_store=SecretStoreSettings(sqlite=store),
    )


def test_dev_mode_makes_a_private_key_once(tmp_path: Path) -> None:
    sealed = open_sealer(settings(tmp_path)).seal(b"secret")

    assert open_sealer(settings(tmp_path)).open(sealed) == b"secret"
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_keys_of_the_settings_are_used_where_they_are_given(tmp_path: Path) -> None:
    sealed = open_sealer(settings(tmp_path, key="o" * 32)).seal(b"secret")

    assert open_sealer(settings(tmp_path, key="n" * 32, previous=("o" * 32,))).open(sealed) == b"secret"
    assert list(tmp_path.iterdir()) == []


def test_a_broken_key_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "encryption.key").write_bytes(b"half")

    with pytest.raises(FailedPrecondition, match=r"encryption\.key.*4 bytes"):
        open_sealer(settings(tmp_path))


def test_the_sample_key_is_refused_outside_dev_mode(tmp_path: Path) -> None:
    production = replace(settings(tmp_path), development=DevelopmentSettings())

    with pytest.raises(FailedPrecondition, match="sample"):
        open_sealer(production)


def test_a_token_is_64_hexadecimal_digits_and_its_id_12_and_neither_comes_twice() -> None:
    texts = {make_token().reveal() for _ in range(100)}
    ids = {make_token_id() for _ in range(100)}

    assert (100, 100) == (len(texts), len(ids))
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in texts)
    assert all(re.fullmatch("[0-9a-f]{12}", each) for each in ids)


def test_a_token_is_stored_as_sha_256_of_its_text() -> None:
    text = "00" * 32

    assert "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55" == hash_token(text)
    assert is_same_hash(hash_token(text), hash_token(text))
    assert not is_same_hash(hash_token(text), hash_token("\ud800"))


def test_a_lost_key_is_not_replaced_while_there_is_a_database(tmp_path: Path) -> None:
    """What was sealed with it could never be opened again, and nobody was told."""
    kept = settings(tmp_path)
    open_sealer(kept)
    (tmp_path / "encryption.key").unlink()
    (tmp_path / "gofer.db").touch()

    with pytest.raises(FailedPrecondition, match=r"encryption\.key is missing.*restore it from a backup"):
        open_sealer(kept)

    assert not (tmp_path / "encryption.key").exists()
