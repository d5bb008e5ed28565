"""Runs that were stored a moment ago, as they were stored, so that whoever admits them need not read them back."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from gofer.core.ids import RunKey
from gofer.core.run import FreshRun

MOST_KEPT: Final = 64
_MOST_CHARACTERS: Final = 2048  # of a run's variables; of longer ones less would be gained than held


class FreshRuns:
    """A few of the newest runs. One that isn't here is read; one that is may have changed since, as its revision tells.

    `stored` has to be called after each commit, on the loop, before anybody hears of its events.
    """

    def __init__(self, *, most_kept: int = MOST_KEPT) -> None:
        """Keep at most that many, the newest."""
        self._kept: OrderedDict[RunKey, FreshRun] = OrderedDict()
        self._most_kept = most_kept

    def stored(self, runs: Iterable[FreshRun]) -> None:
        """Keep what a commit has stored."""
        for fresh in runs:
            if sum(map(len, fresh.run.variables.values())) <= _MOST_CHARACTERS:
                self._kept[fresh.run.key] = fresh
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)

    def find(self, key: RunKey) -> FreshRun | None:
        """Give a run and keep it."""
        return self._kept.get(key)

    def take(self, key: RunKey) -> FreshRun | None:
        """Give a run and keep it no more: from now on it changes."""
        return self._kept.pop(key, None)
