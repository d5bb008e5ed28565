"""When a server's life ends: at a point inside of it that a probe tells of, or whenever it comes."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gofer.services.pruning import PruneStep
from gofer.sqlite import GroupStep
from gofer.workers.launching import LaunchStep


class Ending(StrEnum):
    """Which signals end the lives of a batch."""

    KILL = "kill"
    TERM = "term"
    BOTH = "both"  # in turn; and half of those that are asked to stop are killed while they stop


class Place(StrEnum):
    """What a moment is counted by."""

    EVENT = "transition"  # after the commit of an event, before anybody hears of it
    STEP = "launch step"  # before the step is taken
    GROUP = "commit"  # at a step of the writer's group, on the writer's thread
    WITHIN = "within a commit"  # a little after the writer began its COMMIT, as another thread sees it
    PRUNE = "prune"  # right after a piece of what is due to go has gone
    START = "while starting"  # so long after the process was made
    RANDOM = "at random"  # so long after it was ready


KINDS: Final = (
    "RUN_STARTED",
    "RUN_ADMITTED",
    "TASKRUN_CREATED",
    "TASKRUN_STARTED",
    "TASKRUN_COMPLETED",
    "RUN_COMPLETED",
    "RUN_CANCEL_REQUESTED",
    "TASKRUN_CANCEL_REQUESTED",
    "PIPELINE_CONFIG_REGISTERED",
    "PIPELINE_CONFIG_DELETED",
    "PIPELINE_DELETION_REQUESTED",
    "PIPELINE_DELETED",
    "NAMESPACE_DELETION_REQUESTED",
    "NAMESPACE_DELETED",
)
PRUNES: Final = (PruneStep.LOG_FILES, PruneStep.LOGS, PruneStep.RUN_OBJECT_ROWS, PruneStep.RUN_OBJECTS)
_SHARES: Final = {
    Place.EVENT: 28,
    Place.STEP: 22,
    Place.GROUP: 18,
    Place.WITHIN: 6,
    Place.PRUNE: 6,
    Place.START: 6,
    Place.RANDOM: 14,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One life's end. `seconds` belongs to START, RANDOM and WITHIN; `count` to the others: the how many-th time.

    `then_kill_seconds` is how long after a SIGTERM the SIGKILL follows, if it does.
    """

    place: Place
    point: str = ""
    count: int = 1
    seconds: float = 0.0
    signal: Ending = Ending.KILL
    then_kill_seconds: float | None = None

    def __str__(self) -> str:
        """Say it in words."""
        what = {"kill": "SIGKILL", "term": "SIGTERM"}[self.signal]
        then = "" if self.then_kill_seconds is None else f", SIGKILL {self.then_kill_seconds * 1000:.0f} ms later"
        if self.place in {Place.START, Place.RANDOM}:
            return f"{what} {self.place}, after {self.seconds * 1000:.0f} ms{then}"
        late = f" + {self.seconds * 1e6:.0f} us" if self.place is Place.WITHIN else ""
        return f"{what} at the {self.place} {self.point} no. {self.count}{late}{then}"


def moments(chance: random.Random, ending: Ending, count: int) -> list[Moment]:
    """Choose the ends of a batch's lives."""
    return [_moment(chance, ending, number) for number in range(count)]


def _moment(chance: random.Random, ending: Ending, number: int) -> Moment:
    place = chance.choices(list(_SHARES), weights=list(_SHARES.values()))[0]
    signal = ending
    then_kill = None
    if ending is Ending.BOTH:
        signal = Ending.TERM if number % 2 else Ending.KILL
        if signal is Ending.TERM and chance.random() < 0.5:
            then_kill = chance.random() ** 2 * 0.15
    return Moment(
        place=place,
        point=_point(chance, place),
        count=_count(chance, place),
        seconds=_seconds(chance, place),
        signal=signal,
        then_kill_seconds=then_kill,
    )


def _point(chance: random.Random, place: Place) -> str:
    match place:
        case Place.EVENT:
            return chance.choice(KINDS)
        case Place.STEP:
            return chance.choice(list(LaunchStep)).value
        case Place.GROUP:
            return chance.choice(list(GroupStep)).value
        case Place.WITHIN:
            return GroupStep.COMMIT.value
        case Place.PRUNE:
            return chance.choice(PRUNES).value
        case _:
            return ""


def _count(chance: random.Random, place: Place) -> int:
    if place in {Place.GROUP, Place.WITHIN}:
        return chance.randint(1, 20)
    return chance.choice((1, 1, 1, 2, 2, 3, 5))


def _seconds(chance: random.Random, place: Place) -> float:
    match place:
        case Place.START:
            return chance.random() * 0.25
        case Place.RANDOM:
            return chance.random() ** 2 * 0.8
        case Place.WITHIN:
            return chance.random() ** 2 * 0.003
        case _:
            return 0.0
