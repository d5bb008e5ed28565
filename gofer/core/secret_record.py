"""What is known of a stored secret but for its value, and the rules for keys and values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.access import NamespacePattern
from gofer.core.ids import BlobId
from gofer.core.masking import masked_values
from gofer.core.secret import Secret
from gofer_sdk.rules.text import fault_of_text, quoted

MAX_KEY_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 1024 * 1024
MAX_PIPELINE_SECRETS: Final = 10_000
"""Of one pipeline, so that the list of them stays one message."""
MAX_GLOBAL_SECRETS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRecord:
    """A stored secret: `blob` names its sealed value in the secret store, `created_at` is when that was put.

    `namespaces` are the entries of a global secret that say who may use it; empty for a pipeline's own.
    """

    key: str
    blob: BlobId
    created_at: datetime
    namespaces: tuple[NamespacePattern, ...] = ()


def fault_of_key(key: str) -> str | None:
    """Say what is wrong with the key of a secret, or None if it is a good one."""
    if not key:
        return "the secret's key is missing: name the secret"
    if key != key.strip():
        return f"the key {quoted(key)} has white space around it, which no reference can have: remove it"
    if not key.isprintable():
        return f"the key {quoted(key)} holds control characters: use printable ones"
    return fault_of_text(key, what="the secret's key", max_bytes=MAX_KEY_BYTES)


def warning_of_value(value: Secret) -> str:
    """Say what whoever puts the value should know of it; empty if nothing."""
    if masked_values((value,)):
        return ""
    return "the value has less than 4 characters: it will not be masked in logs"
