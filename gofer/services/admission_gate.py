"""Whether runs are admitted at all: closed while the server is drained before a stop."""

from collections.abc import Callable


class AdmissionGate:
    """A gate for queued runs and new ones, open at first. The loop owns it."""

    def __init__(self) -> None:
        self._is_open = True
        self._waiting: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether runs are admitted."""
        return self._is_open

    def on_open(self, function: Callable[[], None]) -> None:
        """Have `function` called whenever it is opened again."""
        self._waiting.append(function)

    def close(self) -> bool:
        """Admit no more; tell whether it was open."""
        was_open, self._is_open = self._is_open, False
        return was_open

    def open(self) -> None:
        """Admit again, what has waited first."""
        self._is_open = True
        for function in self._waiting:
            function()
