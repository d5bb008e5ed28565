"""Who may start now: queued runs, pipeline by pipeline, and task runs, for the server as a whole.

Both parts are first in, first out, cost the same for each event however much waits, and take every event more than once
without harm, so that whoever feeds them may read the database again at any time and tell them what it finds.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from gofer.core.errors import InvalidInput
from gofer.core.ids import PipelineKey, RunKey, TaskRunKey


def effective_limit(pipeline_limit: int, server_limit: int) -> int | None:
    """Give how many runs of a pipeline may be live at once: the smaller of the limits that are set; None = any number.

    A limit of 0 is not set. Raises `InvalidInput` where one of them is negative.
    """
    if pipeline_limit < 0 or server_limit < 0:
        raise InvalidInput(
            f"a parallelism limit may not be negative (pipeline {pipeline_limit}, server {server_limit}): 0 means none"
        )
    return min((limit for limit in (pipeline_limit, server_limit) if limit), default=None)


@dataclass(slots=True)
class _Line:
    """One pipeline: runs that wait, in their order, and runs that are live."""

    waiting: OrderedDict[RunKey, int | None] = field(default_factory=OrderedDict)  # with the limit each one is under
    live: set[RunKey] = field(default_factory=set)

    def is_open(self) -> bool:
        """Whether the first that waits may start."""
        if not self.waiting:
            return False
        limit = next(iter(self.waiting.values()))
        return limit is None or len(self.live) < limit


class Queues:
    """The queued runs of all pipelines. A full pipeline never holds up another."""

    def __init__(self) -> None:
        """Begin with nothing queued and nothing live."""
        self._lines: dict[PipelineKey, _Line] = {}
        self._open: OrderedDict[PipelineKey, None] = OrderedDict()

    def enqueue(self, run: RunKey, *, limit: int | None) -> None:
        """Put a run behind those of its pipeline. It starts when fewer than `limit` (None: any number) are live.

        What is queued keeps its place and takes the new limit; what is live stays so.
        """
        line = self._lines.setdefault(run.of_pipeline, _Line())
        if run not in line.live:
            line.waiting[run] = limit
            self._note(run.of_pipeline, line)

    def started(self, run: RunKey) -> None:
        """Count a run as live, whatever the limit: it was found so, or somebody else admitted it."""
        line = self._lines.setdefault(run.of_pipeline, _Line())
        line.waiting.pop(run, None)
        line.live.add(run)
        self._note(run.of_pipeline, line)

    def ended(self, run: RunKey) -> None:
        """Forget a run, live or queued; an unknown one is nothing new."""
        line = self._lines.get(run.of_pipeline)
        if line is None:
            return
        line.waiting.pop(run, None)
        line.live.discard(run)
        self._note(run.of_pipeline, line)

    def admissible(self) -> Iterator[RunKey]:
        """Take out the runs that may start now and count them as live, one of each open pipeline in turn."""
        while self._open:
            pipeline, _ = self._open.popitem(last=False)
            line = self._lines[pipeline]
            run, _ = line.waiting.popitem(last=False)
            line.live.add(run)
            self._note(pipeline, line)
            yield run

    def _note(self, pipeline: PipelineKey, line: _Line) -> None:
        if line.is_open():
            self._open.setdefault(pipeline)
            return
        self._open.pop(pipeline, None)
        if not line.waiting and not line.live:
            del self._lines[pipeline]


class TaskSlots:
    """The gate of the whole server: how many containers may live at once. Others wait in line."""

    def __init__(self, limit: int) -> None:
        """Give out at most `limit` slots, or any number where it is 0. Raises `InvalidInput` for a negative limit."""
        if limit < 0:
            raise InvalidInput(f"scheduler.max_tasks may not be negative ({limit}): 0 means no limit")
        self._limit = limit
        self._holders: set[TaskRunKey] = set()
        self._waiting: OrderedDict[TaskRunKey, None] = OrderedDict()

    @property
    def live(self) -> int:
        """How many slots are held; more than the limit where that many were taken over."""
        return len(self._holders)

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return len(self._waiting)

    def request(self, task_run: TaskRunKey) -> bool:
        """Say whether the task run has a slot now; if not, it waits in line until a `release` names it.

        Asking again changes nothing. Whoever gives up, holding or waiting, must call `release`.
        """
        if task_run in self._holders:
            return True
        if task_run in self._waiting or (self._limit and len(self._holders) >= self._limit):
            self._waiting.setdefault(task_run)
            return False
        self._holders.add(task_run)
        return True

    def take_over(self, task_run: TaskRunKey) -> None:
        """Count a container that is there already, whatever the limit."""
        self._waiting.pop(task_run, None)
        self._holders.add(task_run)

    def release(self, task_run: TaskRunKey) -> tuple[TaskRunKey, ...]:
        """Give up a slot or a place in line, and name those who have a slot from now on. Safe to repeat."""
        self._waiting.pop(task_run, None)
        self._holders.discard(task_run)
        granted: list[TaskRunKey] = []
        while self._waiting and (not self._limit or len(self._holders) < self._limit):
            first, _ = self._waiting.popitem(last=False)
            self._holders.add(first)
            granted.append(first)
        return tuple(granted)
