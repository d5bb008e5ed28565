"""Task runs in the database."""

from collections.abc import Callable, Iterable
from typing import Final

from gofer.core.errors import NotFound
from gofer.core.ids import NamespaceId, PipelineId, RunId, RunKey, TaskId, TaskRunKey
from gofer.core.run import Reason, StopRequest, TaskRun
from gofer.core.times import to_ms
from gofer.sqlite import Connection, Row
from gofer.storage.page import Listed, Page, cut, fitting, wire_bytes
from gofer.storage.rows import stop_request_to_row, task_run_of, task_run_to_row

# A stop request is never taken back: whoever stores a task run may not have seen one that came in meanwhile.
_UPSERT: Final = """
    INSERT INTO task_runs
    (namespace, pipeline, run, id, state, reason_code, reason_description, attempt, engine, exit_code,
     created_at, started_at, ended_at, stop_at, stop_force, logs_expired, logs_removed, silent)
    VALUES
    (:namespace, :pipeline, :run, :id, :state, :reason_code, :reason_description, :attempt, :engine, :exit_code,
     :created_at, :started_at, :ended_at, :stop_at, :stop_force, :logs_expired, :logs_removed, :silent)
    ON CONFLICT (namespace, pipeline, run, id) DO UPDATE SET
        state = excluded.state, reason_code = excluded.reason_code, reason_description = excluded.reason_description,
        attempt = excluded.attempt, engine = excluded.engine, exit_code = excluded.exit_code,
        started_at = excluded.started_at, ended_at = excluded.ended_at,
        stop_at = coalesce(stop_at, excluded.stop_at), stop_force = max(stop_force, excluded.stop_force),
        logs_expired = excluded.logs_expired, logs_removed = excluded.logs_removed,
        silent = excluded.silent
"""
_FIND: Final = "SELECT * FROM task_runs WHERE namespace = ? AND pipeline = ? AND run = ? AND id = ?"
_ALL: Final = "SELECT * FROM task_runs WHERE namespace = ? AND pipeline = ? AND run = ?"
_LIST: Final = """
    SELECT * FROM task_runs
    WHERE namespace = :namespace AND pipeline = :pipeline AND run = :run
    AND (coalesce(started_at, 0), id) > (:started_at, :id)
    ORDER BY coalesce(started_at, 0), id LIMIT :limit OFFSET :offset
"""
_STOP: Final = """
    UPDATE task_runs SET stop_at = coalesce(stop_at, :stop_at), stop_force = max(stop_force, :stop_force)
    WHERE namespace = :namespace AND pipeline = :pipeline AND run = :run AND id = :id
"""
_ENGINES: Final = "SELECT DISTINCT engine FROM task_runs WHERE engine <> '' ORDER BY engine"
_LIVE_ATTEMPTS: Final = """
    SELECT task_runs.namespace, task_runs.pipeline, task_runs.run, task_runs.id, task_runs.attempt
    FROM runs INDEXED BY runs_live JOIN task_runs
        ON task_runs.namespace = runs.namespace AND task_runs.pipeline = runs.pipeline AND task_runs.run = runs.id
    WHERE runs.state = 'RUNNING' AND task_runs.state IN ('STARTING', 'RUNNING', 'STOPPING')
"""
_LOGS_REMOVED: Final = """
    UPDATE task_runs SET logs_removed = 1 WHERE namespace = ? AND pipeline = ? AND run = ? AND id = ?
"""
_RAISE: Final = "UPDATE runs SET revision = revision + 1 WHERE namespace = ? AND pipeline = ? AND id = ?"
_BEFORE_ALL: Final = -(2**63)


class TaskRunRepository:
    """The task runs, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert_task_runs(self, task_runs: Iterable[TaskRun]) -> None:
        """Store new task runs, and what has changed of others. A stop request that is stored stays.

        Raises `FailedPrecondition` where a run does not exist.
        """
        self._connection.executemany(_UPSERT, [task_run_to_row(task_run) for task_run in task_runs])

    def find_task_run(self, key: TaskRunKey) -> TaskRun | None:
        """Give the task run, or None where there is none."""
        row = self._connection.execute(_FIND, (key.namespace, key.pipeline, key.run, key.task)).fetchone()
        return None if row is None else task_run_of(row)

    def get_task_run(self, key: TaskRunKey) -> TaskRun:
        """Give the task run. Raises `NotFound`."""
        found = self.find_task_run(key)
        if found is None:
            raise _not_found(key)
        return found

    def list_task_runs(
        self, key: RunKey, page: Page, size_bytes: Callable[[TaskRun], int] = lambda _: 0
    ) -> Listed[TaskRun]:
        """Give a run's task runs by the time of their start, those that have not started first, ties by id.

        `size_bytes` tells how much is shown beside a task run, for a page that fits one message.
        """
        started_at, last = page.after((int, str)) or (_BEFORE_ALL, "")
        rows = self._connection.execute(
            _LIST,
            {
                "namespace": key.namespace,
                "pipeline": key.pipeline,
                "run": key.run,
                "started_at": started_at,
                "id": last,
                "limit": page.size + 1,
                "offset": page.skip,
            },
        )
        found, more = fitting(
            (task_run_of(row) for row in rows), lambda each: size_bytes(each) + _words_bytes(each.reason)
        )
        return cut(found, page, _place_of, more=more)

    def all_task_runs(self, key: RunKey) -> dict[TaskId, TaskRun]:
        """Give all task runs of a run; empty before its admission."""
        rows = self._connection.execute(_ALL, (key.namespace, key.pipeline, key.run))
        found = [task_run_of(row) for row in rows]
        return {task_run.id: task_run for task_run in found}

    def live_attempts(self) -> list[tuple[TaskRunKey, int]]:
        """Give every task run that an engine may hold a container of, with the number of its attempt.

        Nothing else is read, so that one that is broken harms no other.
        """
        return [(_key_of(row), row["attempt"]) for row in self._connection.execute(_LIVE_ATTEMPTS)]

    def engines(self) -> list[str]:
        """Name every engine that a task run was ever given to."""
        return [row["engine"] for row in self._connection.execute(_ENGINES)]

    def set_task_stop_request(self, key: TaskRunKey, request: StopRequest) -> None:
        """Store that a user wants the task run to end; the revision of its run rises, as with a request for the run.

        The time of the first request stays, and `force` once asked for. Raises `NotFound`.
        """
        values = {
            "namespace": key.namespace,
            "pipeline": key.pipeline,
            "run": key.run,
            "id": key.task,
            **stop_request_to_row(request),
        }
        if self._connection.execute(_STOP, values).rowcount == 0:
            raise _not_found(key)
        self._connection.execute(_RAISE, (key.namespace, key.pipeline, key.run))

    def set_logs_removed(self, key: TaskRunKey) -> None:
        """Store that somebody has removed the logs of a task run. Raises `NotFound`."""
        if self._connection.execute(_LOGS_REMOVED, (key.namespace, key.pipeline, key.run, key.task)).rowcount == 0:
            raise _not_found(key)


def _key_of(row: Row) -> TaskRunKey:
    return TaskRunKey(
        namespace=NamespaceId(row["namespace"]),
        pipeline=PipelineId(row["pipeline"]),
        run=RunId(row["run"]),
        task=TaskId(row["id"]),
    )


def _words_bytes(reason: Reason | None) -> int:
    return 0 if reason is None else wire_bytes(reason.description)


def _place_of(task_run: TaskRun) -> tuple[int, str]:
    return (0 if task_run.started_at is None else to_ms(task_run.started_at), task_run.id)


def _not_found(key: TaskRunKey) -> NotFound:
    return NotFound(
        f"run {key.of_run} has no task run {key.task!r}; "
        f"`gofer taskrun list {key.pipeline} {key.run}` shows its task runs",
        namespace=key.namespace,
        pipeline=key.pipeline,
        run=key.run,
        task=key.task,
    )
