"""Lists of texts, as callers give them."""

from collections.abc import Sequence


def listed(texts: Sequence[str], what: str) -> list[str]:
    """Return the texts as a list.

    Raises TypeError for a single text, which would be taken for the list of its letters, as no type checker tells.
    """
    if isinstance(texts, str):
        raise TypeError(f"{what} is the text {texts!r}: give a list, such as [{texts!r}]")
    return list(texts)
