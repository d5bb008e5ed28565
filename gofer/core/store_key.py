"""The rules for the keys that people give to secrets and objects."""

from typing import Final

from gofer_sdk.rules.text import fault_of_text, quoted

MAX_KEY_BYTES: Final = 256


def fault_of_store_key(key: str, *, what: str) -> str | None:
    """Say what is wrong with the key of a `what` ("secret", "object"), or None if it is a good one."""
    if not key:
        return f"the {what}'s key is missing: name the {what}"
    if key != key.strip():
        return f"the key {quoted(key)} has white space around it, which no reference can have: remove it"
    if not key.isprintable():
        return f"the key {quoted(key)} holds control characters: use printable ones"
    return fault_of_text(key, what=f"the {what}'s key", max_bytes=MAX_KEY_BYTES)
