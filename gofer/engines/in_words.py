"""The errors of engines that others wrote, put into words."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError


@dataclass(frozen=True, slots=True)
class InWords:
    """Puts an error in the place of one that no engine should raise, for the length of a block.

    What `passes` goes through as it is. What failed is put into words only then: to look for the name of a package
    takes milliseconds.
    """

    what: Callable[[], str]
    kind: type[EngineUnavailable | FailedPrecondition]
    passes: tuple[type[Exception], ...] = (GoferError,)

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the other error, which names the first one's kind and what it says."""
        if isinstance(error, Exception) and not isinstance(error, self.passes):
            raise self.kind(f"{self.what()}: {type(error).__name__}: {error}") from error
