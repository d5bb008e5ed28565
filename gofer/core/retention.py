"""What is expired: by the number of newer runs of a pipeline, or by age."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gofer.core.errors import InvalidInput
from gofer.core.ids import RunId
from gofer.core.run import Run


def newest_expired(newest: RunId, *, keep: int) -> RunId:
    """Give the newest run id of a pipeline that is older than its `keep` newest runs; 0 where there is none.

    With `keep` 0 that is the newest run itself: nothing is kept once a run has ended. Raises `InvalidInput` for a
    negative `keep`.
    """
    if keep < 0:
        raise InvalidInput(f"the number of runs to keep may not be negative ({keep}): 0 keeps none")
    return RunId(max(0, newest - keep))


def expired_runs(runs: Iterable[Run], *, newest: RunId, keep: int) -> tuple[Run, ...]:
    """Choose those of a pipeline's runs whose logs or objects are due to go, in the order given.

    A run that has not ended keeps what it has; it is expired as soon as it ends.
    """
    last = newest_expired(newest, keep=keep)
    return tuple(run for run in runs if run.id <= last and run.state.is_terminal)


def oldest_kept(now: datetime, *, keep: timedelta) -> datetime:
    """Give the time before which everything is expired. Raises `InvalidInput` for a negative `keep`."""
    if keep < timedelta():
        raise InvalidInput(f"a retention may not be negative ({keep})")
    try:
        return now - keep
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
