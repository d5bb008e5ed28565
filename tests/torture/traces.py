"""What tasks leave: marks of their own making, times, and every byte that they wrote."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gofer_sdk._proto import proto
from tests.torture.ends import Ended, Key
from tests.torture.ledger import Ledger
from tests.torture.pipelines import BY_NAME, DOOMED, Engine

TaskKey = tuple[str, int, str]
_MARK: Final = re.compile(rb"mark ([0-9a-f-]{36}) begin\n")


@dataclass(slots=True)
class Executions:
    """The executions of one task run, by the uuid that each drew: those that began, those that came to their end."""

    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    starts: int = 0  # as the daemon tells

    def add(self, uuid: str, what: str) -> None:
        """Note a mark."""
        (self.begun if what == "begin" else self.ended).add(uuid)

    @property
    def count(self) -> int:
        """How often the task was executed, by whoever saw more."""
        return max(len(self.begun), self.starts)


class Marks:
    """What tasks say of themselves while they run, each execution with a uuid of its own.

    Processes append to one file. A container says it in its own log, and Docker's daemon is the second witness: it
    tells of every start of a container.
    """

    def __init__(self, engine: Engine, file: Path) -> None:
        self.file = file
        self._engine = engine
        self._starts: list[dict[str, str]] = []

    async def hear(self, lines: asyncio.StreamReader) -> None:
        """Note every start that the daemon tells of."""
        async for line in lines:
            actor = json.loads(line)["Actor"]
            self._starts.append({**actor["Attributes"], "id": actor["ID"]})

    def executions(self, logs: Mapping[TaskKey, bytes], instance: str) -> dict[TaskKey, Executions]:
        """Give all that was said."""
        found: dict[TaskKey, Executions] = defaultdict(Executions)
        if self._engine is not Engine.DOCKER:
            for line in self.file.read_text().splitlines() if self.file.exists() else []:
                pipeline, run, task, uuid, what = line.split()
                found[pipeline, int(run), task].add(uuid, what)
            return found
        for key, log in logs.items():
            for word, uuid, what in (line.split() for line in log.decode().splitlines() if line.startswith("mark ")):
                assert word == "mark"
                found[key].add(uuid, what)
        for start in self._starts:
            if start["gofer.instance"] == instance:
                key = (start["gofer.pipeline"], int(start["gofer.run"]), start["gofer.task"])
                found[key].starts += 1
        return found


@asynccontextmanager
async def marks(folder: Path, engine: Engine) -> AsyncIterator[Marks]:
    """Listen for the marks of a batch."""
    heard = Marks(engine, folder / "marks")
    if engine is not Engine.DOCKER:
        yield heard
        return
    process = await asyncio.create_subprocess_exec(
        *("docker", "events", "--filter", "label=gofer.instance", "--filter", "event=start"),
        *("--format", "{{json .}}"),
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(heard.hear(process.stdout), name="docker events")
            yield heard
            hearing.cancel()
    finally:
        process.kill()
        await process.wait()


def faults_of_marks(ended: Ended, executions: Mapping[TaskKey, Executions]) -> Iterator[str]:
    """Each task that ended by itself ran exactly once, and to its end; each other one at most once."""
    if ended.engine is Engine.MEMORY:
        return
    for key, name, found in _task_runs(ended):
        own = executions.get((*key, name), Executions())
        status, why = found.status.name, found.status_reason.code if found.status_reason else ""
        by_itself = status == "SUCCESSFUL" or (status, why) == ("FAILED", "abnormal_exit")
        if by_itself and not own.count == len(own.begun) == len(own.ended) == 1:
            yield f"{key} {name} ended {status} and was executed {own}"
        if not by_itself and own.count > (status == "CANCELLED" or why == "timed_out"):
            yield f"{key} {name} ended {status} ({why}) and was executed {own}"
        if own.count and not found.started:
            yield f"{key} {name} was executed, and has no start"
    for executed, own in executions.items():
        if executed[0].startswith(DOOMED.id) and own.count > 1:
            yield f"{executed} was executed {own}"
    unknown = {executed for executed in executions if not executed[0].startswith(DOOMED.id)}
    unknown -= {(*key, name) for key, name, _ in _task_runs(ended)}
    if unknown:
        yield f"executed, and not known: {sorted(unknown)}"


def faults_of_times(ended: Ended) -> Iterator[str]:
    """Creation, start and end come in this order, of tasks within their run, and of children after their parents."""
    for key, run in ended.runs.items():
        own = ended.task_runs[key]
        last = max([run.admitted or run.started, *(found.ended for found in own.values())])
        if not run.started <= (run.admitted or run.started) <= last <= run.ended:
            yield f"{key}: created {run.started}, admitted {run.admitted}, tasks until {last}, ended {run.ended}"
        for found in own.values():
            yield from (f"{key} {found.id}: {fault}" for fault in _times_of(found, run, own))


def _times_of(found: proto.TaskRun, run: proto.Run, own: Mapping[str, proto.TaskRun]) -> Iterator[str]:
    times = [run.admitted, found.created, found.started or found.created, found.ended]
    if times != sorted(times):
        yield f"created {found.created}, started {found.started}, ended {found.ended}; run {run}"
    for parent in BY_NAME[run.pipeline].task(found.id).after:
        if found.started and found.started < own[parent].ended:
            yield f"started at {found.started}, its parent {parent} ended at {own[parent].ended}"


def faults_of_logs(ended: Ended, logs: Mapping[TaskKey, bytes], ledger: Ledger) -> Iterator[str]:
    """All that a task wrote is in its log, byte for byte; who followed it got the same."""
    for key, name, found in _task_runs(ended):
        log = logs.get((*key, name))
        why = found.status_reason.code if found.status_reason else ""
        if log is not None and not _is_right(log, key[0], ended.engine, found):
            yield f"{key} {name} ended {found.status.name} ({why}) with a log of {len(log)} bytes: {log[-200:]!r}"
    for read in ledger.logs:
        log = logs.get((read.pipeline, read.run, read.task))
        own = ended.task_runs[read.pipeline, read.run]
        if log is not None or read.task not in own:  # of a run that was cancelled in the queue there is nothing
            right = read.data == (log or b"")
        else:  # it has expired meanwhile
            right = _is_right(read.data, read.pipeline, ended.engine, own[read.task])
        if not right:
            there = len(log or b"")
            yield f"a follower of {read.pipeline} {read.run} {read.task} got {len(read.data)} of {there} bytes"


def _is_right(log: bytes, pipeline: str, engine: Engine, found: proto.TaskRun) -> bool:
    shape = BY_NAME[pipeline].task(found.id)
    why = found.status_reason.code if found.status_reason else ""
    by_itself = found.status.name == "SUCCESSFUL" or why == "abnormal_exit"
    if not by_itself and (shape.refused or not (found.started or engine is Engine.MEMORY)):
        return log == b""  # on the memory engine it may have run, and died with its server before that was stored
    written = shape.output(engine)
    if engine is not Engine.DOCKER:
        return log == written if by_itself else written.startswith(log)
    mark = _MARK.search(log)
    if mark is None:
        return log == b"" and not by_itself
    begin, end = (b"mark %s %s\n" % (mark[1], word) for word in (b"begin", b"end"))
    lines = written.splitlines(keepends=True)
    stdout = b"".join([begin, *(line for line in lines if not line.startswith(b"error")), end])
    stderr = b"".join(line for line in lines if line.startswith(b"error"))
    return is_merged(log, stdout, stderr, whole=by_itself)


def is_merged(log: bytes, one: bytes, other: bytes, *, whole: bool) -> bool:
    """Tell whether the log is the beginnings of two streams, cut and mixed anyhow; all of both, if asked so.

    They are two pipes, and whoever reads them takes as much as there is: only the order within each is the task's own.
    """
    places = {0}  # how much of the first may have been used up
    for at, byte in enumerate(log):
        after = {place + 1 for place in places if one[place : place + 1] == bytes([byte])}
        after |= {place for place in places if other[at - place : at - place + 1] == bytes([byte])}
        places = after
    return bool(places) if not whole else len(log) == len(one) + len(other) and len(one) in places


def _task_runs(ended: Ended) -> Iterator[tuple[Key, str, proto.TaskRun]]:
    for key, own in ended.task_runs.items():
        for name, found in own.items():
            yield key, name, found
