"""References: values that stand for a secret or an object, such as `pipeline_secret{{password}}`.

A value is a reference only as a whole (outer white space aside); nothing is embedded, escaped or nested. Double braces
are the proper form. Single braces are read too, where no further brace is in the key, and `secret` is another name for
`pipeline_secret`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReferenceKind(StrEnum):
    """What a reference may stand for; the value is the word before the braces."""

    PIPELINE_SECRET = "pipeline_secret"  # noqa: S105 (a word of the grammar)
    GLOBAL_SECRET = "global_secret"  # noqa: S105
    PIPELINE_OBJECT = "pipeline_object"
    RUN_OBJECT = "run_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference: which kind of thing, and its key, which is empty where the braces are."""

    kind: ReferenceKind
    key: str


_KINDS: Final = {**{kind.value: kind for kind in ReferenceKind}, "secret": ReferenceKind.PIPELINE_SECRET}


def find_reference(value: str) -> Reference | None:
    """Return the reference that `value` is, or None if it is plain text."""
    word, brace, rest = value.strip().partition("{")
    kind = _KINDS.get(word)
    if kind is None or not brace:
        return None
    if rest.startswith("{") and rest.endswith("}}"):
        return Reference(kind=kind, key=rest[1:-2].strip())
    inner = rest[:-1]
    if rest.endswith("}") and "{" not in inner and "}" not in inner:
        return Reference(kind=kind, key=inner.strip())
    return None


def render_reference(kind: ReferenceKind, key: str) -> str:
    """Write the reference to `key`; `find_reference` reads the same kind and key back.

    Raises:
        ValueError: the key is empty or has white space around it.

    """
    if not key or key != key.strip():
        message = f"the key {key!r} of a {kind.value} is empty or has white space around it; name the key alone"
        raise ValueError(message)
    return f"{kind.value}{{{{{key}}}}}"
