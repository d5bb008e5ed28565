"""The rule for ids that people choose: of namespaces, pipelines and tasks."""

import re
from typing import Final

from gofer_sdk.rules.text import quoted

MIN_ID_LENGTH: Final = 3
MAX_ID_LENGTH: Final = 32

ID_PATTERN: Final = re.compile(r"[a-zA-Z0-9_]{3,32}\Z")
"""Matches a whole id from its beginning: 3 to 32 of `a-z`, `A-Z`, `0-9` and `_`."""


def fault_of_id(value: str, what: str) -> str | None:
    """Say what is wrong with the id `value`, or None if it is a good one; `what` names it, such as "pipeline id"."""
    if ID_PATTERN.match(value):
        return None
    if not value:
        return f"{what} is missing: an id has {MIN_ID_LENGTH} to {MAX_ID_LENGTH} letters, digits or underscores"
    named = f"{what} {quoted(value)}"
    if len(value) < MIN_ID_LENGTH:
        return f"{named} is too short: an id has at least {MIN_ID_LENGTH} characters"
    if len(value) > MAX_ID_LENGTH:
        return f"{named} is too long: an id has at most {MAX_ID_LENGTH} characters"
    return f"{named} holds characters that an id may not have: use only the letters a-z and A-Z, digits and underscores"
