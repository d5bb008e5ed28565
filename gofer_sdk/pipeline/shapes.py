"""Mistakes that a type checker would have told: a text where a list belongs, a number among the variables."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta

from gofer_sdk.rules.text import quoted


def text_faults(value: object, what: str) -> Iterator[str]:
    """Tell a value that should be a text and is not."""
    if not isinstance(value, str):
        yield f"{what} is {_described(value)}: write a text"


def hidden_text_faults(value: object, what: str) -> Iterator[str]:
    """Tell a secret that should be a text and is not, without showing it."""
    if not isinstance(value, str):
        yield f"{what} is of the type {type(value).__name__}: write a text"


def flag_faults(value: object, what: str) -> Iterator[str]:
    """Tell a value that should be True or False and is not."""
    if not isinstance(value, bool):
        yield f"{what} is {_described(value)}: write True or False"


def number_faults(value: object, what: str) -> Iterator[str]:
    """Tell a value that should be a whole number and is not."""
    if not isinstance(value, int) or isinstance(value, bool):
        yield f"{what} is {_described(value)}: write a whole number"


def timeout_faults(value: object, what: str) -> Iterator[str]:
    """Tell a value that should be a duration and is not."""
    if not isinstance(value, str | timedelta):
        yield f"{what} is {_described(value)}: write a duration, such as '1h30m' or timedelta(minutes=90)"


def list_faults(value: object, what: str, kinds: type | tuple[type, ...], example: str) -> Iterator[str]:
    """Tell a value that should be a list of things of these kinds and is not."""
    # Mappings and sets can be gone through as well, but not in the order that was meant.
    if isinstance(value, str | bytes | Mapping | AbstractSet) or not isinstance(value, Iterable):
        yield f"{what} is {_described(value)}: write a list, such as {example}"
        return
    for number, part in enumerate(value, 1):
        if not isinstance(part, kinds):
            yield f"part {number} of {what} is {_described(part)}: write a list, such as {example}"


def mapping_faults(value: object, what: str, kinds: type | tuple[type, ...], example: str) -> Iterator[str]:
    """Tell a value that should map things of these kinds to texts and does not."""
    if not isinstance(value, Mapping):
        yield f"{what} is {_described(value)}: write a mapping, such as {example}"
        return
    for key, part in value.items():
        if not isinstance(key, kinds):
            yield f"a key of {what} is {_described(key)}: write a mapping, such as {example}"
        elif not isinstance(part, str):
            yield f"{what}: the value of {_named(key)} is {_described(part)}: write a text"


def _named(key: object) -> str:
    return quoted(key if isinstance(key, str) else str(getattr(key, "id", key)))


def _described(value: object) -> str:
    if isinstance(value, str | int | float | None):
        return quoted(value) if isinstance(value, str) else repr(value)
    return f"of the type {type(value).__name__}"
