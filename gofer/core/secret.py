"""A text that hides itself."""

from hmac import compare_digest
from typing import Final, NoReturn, Self, final

HIDDEN: Final = "***"
"""What stands in the place of a secret wherever people or programs may see it."""


@final
class Secret:
    """Plaintext of a secret on its way from its store to a container.

    It shows as `***` in texts of any kind, is not a string (so that JSON and joins refuse it), can't be pickled, and
    compares in constant time. Only `reveal` gives the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hide this value."""
        self._value = value

    def reveal(self) -> str:
        """Give the value. Whoever calls this answers for where it goes."""
        return self._value

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(_encoded(self), _encoded(other))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret can't be pickled: it would leave its hiding place")


def _encoded(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
