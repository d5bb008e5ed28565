"""Which end is the right one: a naive second opinion, from the journal and from what is known of each task."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gofer_sdk._proto import proto
from tests.torture.ledger import Gap, Ledger
from tests.torture.pipelines import BY_NAME, SLOTS, Engine, Graph, Needs, Shape
from tests.torture.stored import StoredEvent
from tests.torture.timeouts import TIMED_OUT, faults_of_timeout, may_be_late, may_have_ended_before

NO_CODE: Final = 999
UNRESOLVED: Final = "reference_unresolved"
_SATISFIED: Final = {
    Needs.ANY: {"SUCCESSFUL", "FAILED", "SKIPPED"},
    Needs.SUCCESS: {"SUCCESSFUL"},
    Needs.FAILURE: {"FAILED"},
}


@dataclass(frozen=True, slots=True)
class End:
    """How a task run ended: status, our word for why, exit code."""

    status: str
    why: str = ""
    code: int = NO_CODE


@dataclass(slots=True)
class TaskStory:
    """The events of one task run, by their ids; 0 where there is none."""

    created: int = 0
    started: int = 0
    cancel: int = 0
    completed: int = 0


@dataclass(slots=True)
class RunStory:
    """The events of one run, by their ids; 0 where there is none."""

    started: int = 0
    admitted: int = 0
    cancel: int = 0
    completed: int = 0
    completed_at: int = 0
    tasks: dict[str, TaskStory] = field(default_factory=dict)


Key = tuple[str, int]


def stories_of(events: Sequence[StoredEvent]) -> dict[Key, RunStory]:
    """Sort the journal by runs."""
    stories: dict[Key, RunStory] = {}
    for event in events:
        if not event.run:
            continue
        story = stories.setdefault((event.pipeline, event.run), RunStory())
        task = story.tasks.setdefault(event.task, TaskStory()) if event.task else TaskStory()
        match event.kind:
            case "RUN_STARTED":
                story.started = event.id
            case "RUN_ADMITTED":
                story.admitted = event.id
            case "RUN_CANCEL_REQUESTED":
                story.cancel = story.cancel or event.id
            case "RUN_OBJECTS_EXPIRED":
                pass
            case "RUN_COMPLETED":
                story.completed, story.completed_at = event.id, event.at
            case "TASKRUN_CREATED":
                task.created = event.id
            case "TASKRUN_STARTED":
                task.started = event.id
            case "TASKRUN_CANCEL_REQUESTED":
                task.cancel = task.cancel or event.id
            case "TASKRUN_COMPLETED":
                task.completed = event.id
            case other:
                raise ValueError(other)
    return stories


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A batch when all is over: what the API gives of it, and after which event each life ended."""

    engine: Engine
    events: Sequence[StoredEvent]
    runs: dict[Key, proto.Run]
    task_runs: dict[Key, dict[str, proto.TaskRun]]
    deaths: Sequence[int]  # per life: the last event that it stored
    gaps: Sequence[Gap]  # when the secret that tasks tell may not have been there

    def died_between(self, first: int, second: int) -> bool:
        """Tell whether the server that stored one event was dead before the other was."""
        return bisect_left(self.deaths, first) != bisect_left(self.deaths, second)


def faults_of_ends(ended: Ended, ledger: Ledger) -> list[str]:
    """Say which run or task run did not end as it should have."""
    stories = stories_of(ended.events)
    faults = [*_acknowledged(ended, ledger), *_cancels(stories, ended, ledger)]
    for key, run in sorted(ended.runs.items()):
        faults += (f"{key[0]} {key[1]}: {fault}" for fault in _run(key, run, stories[key], ended))
    return [*faults, *_queue(stories, ended), *_slots(stories)]


def _acknowledged(ended: Ended, ledger: Ledger) -> Iterator[str]:
    by_request = {(run.pipeline, run.request_id): run for run in ended.runs.values()}
    for asked in ledger.runs:
        run = by_request.pop((asked.pipeline, asked.request_id), None)
        if run is None or run.id != asked.run:
            yield f"the acknowledged run {asked} is {run}"
        elif run.started > asked.acknowledged_ms:
            yield f"the run {asked} was created after it was acknowledged, at {run.started}"
    for (pipeline, request_id), run in by_request.items():
        yield f"nobody asked for the run {pipeline} {run.id} ({request_id})"
    for waited in ledger.waited:
        run = ended.runs[waited.pipeline, waited.id]
        if replace(waited, store_objects_expired=run.store_objects_expired) != run:  # they go when newer runs come
            yield f"who waited for {waited.pipeline} {waited.id} got {waited}"


def _cancels(stories: dict[Key, RunStory], ended: Ended, ledger: Ledger) -> Iterator[str]:
    """An acknowledged cancel is in the journal, or what it was for had ended before the answer."""
    times = {event.id: event.at for event in ended.events}
    for cancel in ledger.cancels:
        if not cancel.acknowledged_ms:
            continue
        story = stories[cancel.pipeline, cancel.run]
        task = story.tasks.get(cancel.task)
        asked = (
            story.cancel if task is None else task.cancel or story.cancel
        )  # asked of all of them, it is asked of each
        end = story.completed if task is None else task.completed
        if not asked and not (end and times[end] <= cancel.acknowledged_ms):
            yield f"an acknowledged cancel had no effect: {cancel}"


def _run(key: Key, run: proto.Run, story: RunStory, ended: Ended) -> Iterator[str]:
    if run.state != proto.RunRunState.COMPLETE:
        yield f"it has not ended: {run}"
        return
    if not story.admitted:
        if run.status != proto.RunRunStatus.CANCELLED or story.tasks:
            yield f"it was never admitted, and ended {run.status}"
        return
    task_runs = ended.task_runs[key]
    graph = BY_NAME[key[0]]
    if sorted(task_runs) != sorted(shape.id for shape in graph.tasks):
        yield f"its task runs are {sorted(task_runs)}"
        return
    statuses = {name: _status(found) for name, found in task_runs.items()}
    spared = False
    for shape in graph.tasks:
        found = task_runs[shape.id]
        end = End(_status(found), found.status_reason.code if found.status_reason else "", found.exit_code)
        cancelled_at = _cancelled_at(story, shape.id, ended)
        if end.status != "CANCELLED" and may_have_ended_before(shape, graph, found, run, cancelled_at=cancelled_at):
            spared, right = True, _own_end(shape)
        else:
            right = _right_end(shape, story, statuses, ended)
        if right == _own_end(shape) and _may_have_missed(shape, found, ended):
            right = End("FAILED", UNRESOLVED) if end.why == UNRESOLVED else right
        if end.why == TIMED_OUT:
            yield from faults_of_timeout(shape, graph, found, run, cancelled_at=cancelled_at)
        elif end != right:
            yield f"{shape.id} ended {end}, not {right}; {story.tasks[shape.id]} of {story}"
        yield from _order(shape, story)
    right_status = "FAILED" if "FAILED" in statuses.values() or may_be_late(graph, run) else "SUCCESSFUL"
    if right_status != "FAILED" and ((story.cancel and not spared) or "CANCELLED" in statuses.values()):
        right_status = "CANCELLED"
    if run.status.name != right_status:
        yield f"it ended {run.status.name}, not {right_status}: {statuses}"


def _may_have_missed(shape: Shape, found: proto.TaskRun, ended: Ended) -> bool:
    """Tell whether the secret that a task needs may not have been there while it was launched."""
    return bool(shape.tells) and any(gap.meets(found.created, found.ended) for gap in ended.gaps)


def _cancelled_at(story: RunStory, task: str, ended: Ended) -> int:
    """Give when the first cancel of a task, or of all, was stored before its end; 0 where none was."""
    own = story.tasks[task]
    stored = [cancel for cancel in (story.cancel, own.cancel) if cancel and cancel < own.completed]
    return min((ended.events[cancel - 1].at for cancel in stored), default=0)


def _status(task_run: proto.TaskRun) -> str:
    return task_run.status.name or ""


def _right_end(shape: Shape, story: RunStory, statuses: dict[str, str], ended: Ended) -> End:
    """Say how a task ends: a stop that was stored before its end wins, then what it asks of its parents."""
    task = story.tasks[shape.id]
    if story.cancel and story.cancel < task.completed:
        return End("CANCELLED", "cancelled")
    if task.cancel and task.cancel < task.completed:
        return End("CANCELLED", "cancelled")
    if any(statuses[parent] not in _SATISFIED[needs] for parent, needs in shape.after.items()):
        return End("SKIPPED", "requirement_unmet")
    if shape.refused:
        return End("FAILED", "launch_failed")
    if ended.engine is Engine.MEMORY and task.started and ended.died_between(task.started, task.completed):
        return End("FAILED", "orphaned")
    return _own_end(shape)


def _own_end(shape: Shape) -> End:
    return End("FAILED", "abnormal_exit", shape.code) if shape.code else End("SUCCESSFUL", "", 0)


def _order(shape: Shape, story: RunStory) -> Iterator[str]:
    task = story.tasks[shape.id]
    row = [story.started, story.admitted, task.created, task.started, task.completed, story.completed]
    present = [each for each in row if each]
    if present != sorted(present) or not task.created or not task.completed:
        yield f"the events of {shape.id} are out of order: {task} of {story}"
    for parent in shape.after:
        if task.started and task.started < story.tasks[parent].completed:
            yield f"{shape.id} was started before {parent} had ended"


def _queue(stories: dict[Key, RunStory], ended: Ended) -> Iterator[str]:
    """First in, first out within a pipeline, and never more at once than it allows."""
    for name, graph in BY_NAME.items():
        own = {key[1]: story for key, story in stories.items() if key[0] == name and story.admitted}
        if graph.parallelism:
            yield from (f"{name}: {fault}" for fault in _overtaken(stories, graph))
        edges = [(story.admitted, 1) for story in own.values()] + [(story.completed, -1) for story in own.values()]
        most = _most(edges)
        if graph.parallelism and most > graph.parallelism:
            yield f"{name}: {most} runs at once, {graph.parallelism} allowed"


def _overtaken(stories: dict[Key, RunStory], graph: Graph) -> Iterator[str]:
    """Whoever leaves the queue leaves enough places for all who came before; those are taken in no order."""
    own = [(key[1], story) for key, story in sorted(stories.items()) if key[0] == graph.id]
    for number, story in own:
        at = story.admitted
        busy = sum(0 < other.admitted < at < other.completed for _, other in own)
        before = sum(
            other.started < at < (other.admitted or other.completed) for run, other in own if at and run < number
        )
        if at and busy + before >= graph.parallelism:
            yield f"run {number} left the queue while {busy} were live and {before} that came before it waited"


def _slots(stories: dict[Key, RunStory]) -> Iterator[str]:
    tasks = [task for story in stories.values() for task in story.tasks.values() if task.started]
    most = _most([(task.started, 1) for task in tasks] + [(task.completed, -1) for task in tasks])
    if most > SLOTS:
        yield f"{most} tasks ran at once, {SLOTS} are allowed"


def _most(edges: list[tuple[int, int]]) -> int:
    now = most = 0
    for _, change in sorted(edges):
        now += change
        most = max(most, now)
    return most
