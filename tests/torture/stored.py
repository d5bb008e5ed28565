"""What is on the disk after each death: read from a copy of the database, so that the next start finds it untouched."""

import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.torture.ledger import Ledger

_TERMINAL_RUN: Final = ("SUCCEEDED", "FAILED", "CANCELLED")
_TERMINAL_TASK: Final = (*_TERMINAL_RUN, "SKIPPED")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """A row of the journal; `run` is 0 and `task` empty where it is about none."""

    id: int
    at: int
    kind: str
    pipeline: str
    run: int
    task: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A row of a run."""

    pipeline: str
    id: int
    state: str
    request_id: str
    stop_at: int | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTaskRun:
    """A row of a task run."""

    pipeline: str
    run: int
    id: str
    state: str
    stop_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The rows of one moment, and what SQLite says of the file."""

    health: list[str]
    events: list[StoredEvent]
    runs: dict[tuple[str, int], StoredRun]
    task_runs: dict[tuple[str, int, str], StoredTaskRun]
    live_versions: dict[str, list[int]]
    versions: dict[str, set[int]]

    @property
    def last_event(self) -> int:
        """The id of the newest event, or 0."""
        return self.events[-1].id if self.events else 0


def read_stored(database: Path) -> Stored:
    """Read a copy of the database and of its log."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / database.name
        for path in (database, database.with_name(f"{database.name}-wal")):
            if path.exists():
                shutil.copyfile(path, copy.with_name(path.name))
        if not copy.exists():
            return Stored(health=[], events=[], runs={}, task_runs={}, live_versions={}, versions={})
        with closing(sqlite3.connect(copy)) as connection:
            return _read(connection)


def _read(connection: sqlite3.Connection) -> Stored:
    health = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    health += [f"broken reference: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "journal" not in tables:  # it died before its first start was through
        return Stored(health=health, events=[], runs={}, task_runs={}, live_versions={}, versions={})
    runs = [
        StoredRun(pipeline=row[0], id=row[1], state=row[2], request_id=row[3], stop_at=row[4], version=row[5])
        for row in connection.execute("SELECT pipeline, id, state, request_id, stop_at, version FROM runs")
    ]
    task_runs = [
        StoredTaskRun(pipeline=row[0], run=row[1], id=row[2], state=row[3], stop_at=row[4])
        for row in connection.execute("SELECT pipeline, run, id, state, stop_at FROM task_runs")
    ]
    live: dict[str, list[int]] = {}
    versions: dict[str, set[int]] = {}
    for pipeline, version, state in connection.execute("SELECT pipeline, version, state FROM pipeline_configs"):
        versions.setdefault(pipeline, set()).add(version)
        if state == "LIVE":
            live.setdefault(pipeline, []).append(version)
    return Stored(
        health=health,
        events=[_event(row) for row in connection.execute("SELECT id, at, kind, details FROM journal ORDER BY id")],
        runs={(run.pipeline, run.id): run for run in runs},
        task_runs={(task.pipeline, task.run, task.id): task for task in task_runs},
        live_versions=live,
        versions=versions,
    )


def _event(row: tuple[int, int, str, str]) -> StoredEvent:
    details = json.loads(row[3])
    return StoredEvent(
        id=row[0],
        at=row[1],
        kind=row[2],
        pipeline=details.get("pipeline_id", ""),
        run=details.get("run_id", 0),
        task=details.get("task_run_id", ""),
        status=details.get("status", ""),
    )


def faults_of_stored(stored: Stored, ledger: Ledger, commits: Path) -> list[str]:
    """Say what must not be so, whenever a server dies."""
    return [
        *stored.health,
        *_journal(stored),
        *_commits(stored, commits),
        *_acknowledged(stored, ledger),
        *_told(stored, ledger),
        *_ends(stored),
    ]


def _journal(stored: Stored) -> Iterator[str]:
    ids = [event.id for event in stored.events]
    if ids != list(range(1, len(ids) + 1)):
        gap = next(expected for expected, found in enumerate([*ids, -1], start=1) if expected != found)
        yield f"event ids: {gap} is missing of {len(ids)}"
    for before, after in zip(stored.events, stored.events[1:], strict=False):
        if after.at < before.at:
            yield f"event {after.id} was stored {before.at - after.at} ms before event {before.id}"


def _commits(stored: Stored, path: Path) -> Iterator[str]:
    """Compare the order of commits, as probes saw it, with the journal's."""
    told = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    kinds = {event.id: event.kind for event in stored.events}
    last = 0
    for number, kind in told:
        if int(number) <= last:
            yield f"event {number} was committed after event {last}"
        last = int(number)
        if kinds.get(last) != kind:
            yield f"event {last} was committed as {kind}, and is {kinds.get(last)} in the journal"


def _acknowledged(stored: Stored, ledger: Ledger) -> Iterator[str]:
    for pipeline, version in ledger.deployed.items():
        if stored.live_versions.get(pipeline) not in ([version], [ledger.deploying.get(pipeline)]):
            yield f"{pipeline}: version {version} was deployed, live is {stored.live_versions.get(pipeline)}"
    for asked in ledger.runs:
        if asked.run:
            run = stored.runs.get((asked.pipeline, asked.run))
            if run is None or run.request_id != asked.request_id:
                yield f"the run {asked.pipeline} {asked.run} was acknowledged and is not stored: {run}"
    for cancel in ledger.cancels:
        if not cancel.acknowledged_ms:
            continue
        run = stored.runs.get((cancel.pipeline, cancel.run))
        kept = run is not None and (run.stop_at is not None or run.state in _TERMINAL_RUN)
        if cancel.task:
            task = stored.task_runs.get((cancel.pipeline, cancel.run, cancel.task))
            kept = task is not None and (task.stop_at is not None or task.state in _TERMINAL_TASK)
        if not kept:
            yield f"an acknowledged cancel is not stored: {cancel}"


def _told(stored: Stored, ledger: Ledger) -> Iterator[str]:
    kinds = {event.id: event.kind for event in stored.events}
    last = 0
    for event in ledger.events:
        if event.id != last + 1:
            yield f"a follower was told of event {event.id} after {last}"
        last = event.id
        if kinds.get(event.id) != event.type:
            yield f"a follower was told of event {event.id}, {event.type}; the journal has {kinds.get(event.id)}"


def _ends(stored: Stored) -> Iterator[str]:
    run_ends = Counter((e.pipeline, e.run) for e in stored.events if e.kind == "RUN_COMPLETED")
    task_ends = Counter((e.pipeline, e.run, e.task) for e in stored.events if e.kind == "TASKRUN_COMPLETED")
    task_starts = Counter((e.pipeline, e.run, e.task) for e in stored.events if e.kind == "TASKRUN_STARTED")
    for key, run in stored.runs.items():
        if run_ends[key] != (run.state in _TERMINAL_RUN):
            yield f"the run {key} is {run.state} and has {run_ends[key]} RUN_COMPLETED"
    for task_key, task in stored.task_runs.items():
        if task_ends[task_key] != (task.state in _TERMINAL_TASK):
            yield f"the task run {task_key} is {task.state} and has {task_ends[task_key]} TASKRUN_COMPLETED"
        if task_starts[task_key] > 1:
            yield f"the task run {task_key} has {task_starts[task_key]} TASKRUN_STARTED"
    unfinished = {key[:2] for key, task in stored.task_runs.items() if task.state not in _TERMINAL_TASK}
    for key, run in stored.runs.items():
        if run.state == "RUNNING" and key not in unfinished:
            yield f"the run {key} is RUNNING and all of its task runs have ended"
        if run.state in _TERMINAL_RUN and key in unfinished:
            yield f"the run {key} is {run.state} and a task run of it has not ended"
    by_request = Counter((run.pipeline, run.request_id) for run in stored.runs.values())
    for request, count in by_request.items():
        if count > 1:
            yield f"the request {request} was given {count} runs"
