"""What keeps runs waiting, in words, for as long as it lasts; shown to users as notes of the server."""

from collections import defaultdict


class Troubles:
    """Collects what is wrong now. Whoever told of a trouble tells its end, too."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: dict[str, str] = {}

    def tell(self, about: str, what: str) -> None:
        """Say what keeps a run or a task run waiting; a later word about the same one takes the place of the first."""
        self._told[about] = what

    def over(self, about: str) -> None:
        """Take it back. Safe to repeat, and where nothing was told."""
        self._told.pop(about, None)

    def notes(self) -> tuple[str, ...]:
        """Give one sentence for each trouble, however many wait for its end."""
        waiting: defaultdict[str, list[str]] = defaultdict(list)
        for about, what in self._told.items():
            waiting[what].append(about)
        return tuple(f"{_named(about)} for this to end: {what}" for what, about in waiting.items())


def _named(about: list[str]) -> str:
    first, *others = about
    return f"{first} and {len(others)} more wait" if others else f"{first} waits"
