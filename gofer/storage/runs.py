"""Runs in the database; their task runs come from `gofer.storage.task_runs`."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.ids import PipelineKey, RunId, RunKey, Version
from gofer.core.run import Run, StopRequest
from gofer.core.times import to_ms
from gofer.sqlite import Connection
from gofer.storage.page import Listed, Page, cut, within_bytes
from gofer.storage.rows import run_key_of, run_of, run_state_to_row, run_to_row, stop_request_to_row
from gofer.storage.task_runs import TaskRunRepository

_NEXT_ID: Final = """
    INSERT INTO run_counters (namespace, pipeline, last_run) VALUES (?, ?, 1)
    ON CONFLICT (namespace, pipeline) DO UPDATE SET last_run = last_run + 1 RETURNING last_run
"""
_INSERT: Final = """
    INSERT INTO runs
    (namespace, pipeline, id, version, state, reason_code, reason_description,
     initiator_type, initiator_name, initiator_reason, variables, request_id,
     created_at, admitted_at, ended_at, stop_at, stop_force, objects_expired, engine, revision, timeout_ms)
    VALUES
    (:namespace, :pipeline, :id, :version, :state, :reason_code, :reason_description,
     :initiator_type, :initiator_name, :initiator_reason, :variables, :request_id,
     :created_at, :admitted_at, :ended_at, :stop_at, :stop_force, :objects_expired, :engine, :revision, :timeout_ms)
"""
_FIND: Final = "SELECT * FROM runs WHERE namespace = ? AND pipeline = ? AND id = ?"
_LIST: Final = """
    SELECT * FROM runs
    WHERE namespace = :namespace AND pipeline = :pipeline AND (:before IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit OFFSET :offset
"""
_FIND_BY_REQUEST: Final = """
    SELECT * FROM runs
    WHERE namespace = ? AND pipeline = ? AND request_id = ? AND request_id <> '' AND created_at >= ?
    ORDER BY id DESC LIMIT 1
"""
_QUEUED: Final = """
    SELECT namespace, pipeline, id, coalesce(parallelism, 0) AS parallelism
    FROM runs INDEXED BY runs_queued LEFT JOIN pipeline_configs USING (namespace, pipeline, version)
    WHERE runs.state = 'PENDING' ORDER BY place
"""
_PARALLELISM: Final = """
    SELECT coalesce(parallelism, 0) AS parallelism
    FROM runs LEFT JOIN pipeline_configs USING (namespace, pipeline, version)
    WHERE namespace = ? AND pipeline = ? AND id = ?
"""
_LIVE: Final = "SELECT namespace, pipeline, id FROM runs INDEXED BY runs_live WHERE state = 'RUNNING' ORDER BY place"
_QUEUED_OF: Final = "SELECT id FROM runs WHERE namespace = ? AND pipeline = ? AND state = 'PENDING' ORDER BY id"
_LIVE_OF: Final = "SELECT id FROM runs WHERE namespace = ? AND pipeline = ? AND state = 'RUNNING' ORDER BY id"
# A stop request is never taken back: whoever stores a run may not have seen one that came in meanwhile.
_HAS_UNFINISHED: Final = """
    SELECT 1 FROM runs WHERE namespace = :namespace AND pipeline = :pipeline AND state = 'PENDING'
    UNION ALL
    SELECT 1 FROM runs WHERE namespace = :namespace AND pipeline = :pipeline AND state = 'RUNNING'
    LIMIT 1
"""
_TO_CANCEL: Final = """
    SELECT * FROM runs WHERE namespace = :namespace AND pipeline = :pipeline AND state = 'PENDING'
    UNION ALL
    SELECT * FROM runs WHERE namespace = :namespace AND pipeline = :pipeline AND state = 'RUNNING' AND stop_at IS NULL
    LIMIT :limit
"""
_UPDATE: Final = """
    UPDATE runs SET
        state = :state, reason_code = :reason_code, reason_description = :reason_description,
        admitted_at = :admitted_at, ended_at = :ended_at, objects_expired = :objects_expired,
        engine = :engine,
        stop_at = coalesce(stop_at, :stop_at), stop_force = max(stop_force, :stop_force),
        revision = :revision + 1
    WHERE namespace = :namespace AND pipeline = :pipeline AND id = :id AND revision = :revision
"""
_STOP: Final = """
    UPDATE runs SET
        stop_at = coalesce(stop_at, :stop_at), stop_force = max(stop_force, :stop_force), revision = revision + 1
    WHERE namespace = :namespace AND pipeline = :pipeline AND id = :id
"""
_HAS_VERSION: Final = "SELECT 1 FROM runs WHERE namespace = ? AND pipeline = ? AND version = ? LIMIT 1"
_LONG_TEXTS: Final = ("variables", "initiator_name", "initiator_reason", "reason_description", "request_id")


class StaleRevision(FailedPrecondition):
    """The stored run is not the one any more that the change was made from; load it and decide again."""


class RunRepository(TaskRunRepository):
    """The runs and their task runs, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection

    def next_run_id(self, key: PipelineKey) -> RunId:
        """Take the pipeline's next run id, counted from 1; it goes on where the pipeline was deleted and made again."""
        row = self._connection.execute(_NEXT_ID, (key.namespace, key.pipeline)).fetchone()
        return RunId(row["last_run"])

    def insert_run(self, run: Run) -> Run:
        """Store a new run and give it back. Raises `AlreadyExists`, `FailedPrecondition` for an unknown version."""
        self._connection.execute(_INSERT, run_to_row(run))
        return run

    def find_run(self, key: RunKey) -> Run | None:
        """Give the run, or None where there is none."""
        row = self._connection.execute(_FIND, (key.namespace, key.pipeline, key.run)).fetchone()
        return None if row is None else run_of(row)

    def get_run(self, key: RunKey) -> Run:
        """Give the run. Raises `NotFound`."""
        found = self.find_run(key)
        if found is None:
            raise _not_found(key)
        return found

    def list_runs(self, key: PipelineKey, page: Page) -> Listed[Run]:
        """Give a pipeline's runs, newest first."""
        (before,) = page.after((int,)) or (None,)
        found = self._connection.execute(
            _LIST,
            {
                "namespace": key.namespace,
                "pipeline": key.pipeline,
                "before": before,
                "limit": page.size + 1,
                "offset": page.skip,
            },
        )
        rows, more = within_bytes(found, *_LONG_TEXTS)
        return cut([run_of(row) for row in rows], page, lambda last: (last.id,), more=more)

    def find_by_request(self, key: PipelineKey, request_id: str, since: datetime) -> Run | None:
        """Give the newest run that this request made at or after `since`; None for the empty request id."""
        row = self._connection.execute(
            _FIND_BY_REQUEST, (key.namespace, key.pipeline, request_id, to_ms(since))
        ).fetchone()
        return None if row is None else run_of(row)

    def queued(self) -> list[tuple[RunKey, int]]:
        """Give every run that waits for admission, in their order, with its version's own limit (0 = none).

        Nothing else of a run is read, so that one that is broken harms no other.
        """
        return [(run_key_of(row), row["parallelism"]) for row in self._connection.execute(_QUEUED)]

    def parallelism_of(self, key: RunKey) -> int:
        """Give the limit of parallel runs of a run's version (0 = none). Raises `NotFound`."""
        row = self._connection.execute(_PARALLELISM, (key.namespace, key.pipeline, key.run)).fetchone()
        if row is None:
            raise _not_found(key)
        return int(row["parallelism"])

    def live(self) -> list[RunKey]:
        """Give every run that was admitted and has not ended, in the order in which they came."""
        return [run_key_of(row) for row in self._connection.execute(_LIVE)]

    def queued_of(self, key: PipelineKey) -> list[RunId]:
        """Name a pipeline's runs that wait for admission, oldest first."""
        return [RunId(row["id"]) for row in self._connection.execute(_QUEUED_OF, (key.namespace, key.pipeline))]

    def live_of(self, key: PipelineKey) -> list[RunId]:
        """Name a pipeline's runs that were admitted and have not ended, oldest first."""
        return [RunId(row["id"]) for row in self._connection.execute(_LIVE_OF, (key.namespace, key.pipeline))]

    def has_unfinished(self, key: PipelineKey) -> bool:
        """Tell whether any run of a pipeline has not ended."""
        values = {"namespace": key.namespace, "pipeline": key.pipeline}
        return self._connection.execute(_HAS_UNFINISHED, values).fetchone() is not None

    def to_cancel(self, key: PipelineKey, limit: int) -> list[Run]:
        """Give up to `limit` of a pipeline's runs that have not ended and that nobody has asked to."""
        values = {"namespace": key.namespace, "pipeline": key.pipeline, "limit": limit}
        return [run_of(row) for row in self._connection.execute(_TO_CANCEL, values)]

    def has_version(self, key: PipelineKey, version: Version) -> bool:
        """Tell whether any stored run was made from the version."""
        row = self._connection.execute(_HAS_VERSION, (key.namespace, key.pipeline, version)).fetchone()
        return row is not None

    def update_run(self, run: Run) -> Run:
        """Store what has changed of a run, and give it back with its new revision.

        A stop request that is stored stays, whatever `run` says of it. Raises `StaleRevision` where the stored
        revision is not the run's, and `NotFound`.
        """
        if self._connection.execute(_UPDATE, run_state_to_row(run)).rowcount == 0:
            stored = self.get_run(run.key)
            raise StaleRevision(
                f"run {run.key} was changed meanwhile (revision {stored.revision}, not {run.revision})",
                run=str(run.key),
                revision=stored.revision,
            )
        return replace(run, revision=run.revision + 1)

    def set_run_stop_request(self, key: RunKey, request: StopRequest) -> None:
        """Store that a user wants the run to end; the revision rises.

        So whoever drives the run can't store an end that it decided on without having seen the request. The time of the
        first request stays, and `force` once asked for. Raises `NotFound`.
        """
        values = {"namespace": key.namespace, "pipeline": key.pipeline, "id": key.run, **stop_request_to_row(request)}
        if self._connection.execute(_STOP, values).rowcount == 0:
            raise _not_found(key)


def _not_found(key: RunKey) -> NotFound:
    return NotFound(
        f"there is no run {key.run} of pipeline {key.of_pipeline}; `gofer run list {key.pipeline}` shows its runs",
        namespace=key.namespace,
        pipeline=key.pipeline,
        run=key.run,
    )
