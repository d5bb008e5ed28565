"""What is known of a stored secret but for its value, and the rules for keys and values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.access import NamespacePattern
from gofer.core.ids import BlobId
from gofer.core.masking import masked_values
from gofer.core.secret import Secret
from gofer.core.store_key import fault_of_store_key

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
    return fault_of_store_key(key, what="secret")


def warning_of_value(value: Secret) -> str:
    """Say what whoever puts the value should know of it; empty if nothing."""
    if masked_values((value,)):
        return ""
    return "the value has less than 4 characters: it will not be masked in logs"
