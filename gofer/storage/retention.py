"""What is due to go, and marks for what is gone; each step is a small one.

Of one pipeline, the runs that are so many runs old or older than its newest are due, if they have ended. Indexes hold
those alone that still have something, so that looking costs a step for each pipeline and one for each run that is due.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, RunId, RunKey, TaskId, TaskRunKey
from gofer.core.run import RunState
from gofer.core.times import to_ms
from gofer.sqlite import Connection, Row

_ENDED: Final = ", ".join(f"'{state}'" for state in RunState if state.is_terminal)
_DUE: Final = """
    SELECT runs.namespace, runs.pipeline, runs.id
    FROM run_counters CROSS JOIN runs INDEXED BY {index}
        ON runs.namespace = run_counters.namespace AND runs.pipeline = run_counters.pipeline
        AND runs.id <= run_counters.last_run - :keep
    WHERE runs.{flag} = 0 AND runs.state IN ({ended})
        AND (run_counters.namespace, run_counters.pipeline) >= (:namespace, :pipeline)
        AND (run_counters.namespace, run_counters.pipeline, runs.id) > (:namespace, :pipeline, :run)
    ORDER BY run_counters.namespace, run_counters.pipeline, runs.id LIMIT :limit
"""
_RUNS_WITH_LOGS: Final = _DUE.format(index="runs_with_logs", flag="logs_expired", ended=_ENDED)
_RUNS_WITH_OBJECTS: Final = _DUE.format(index="runs_with_objects", flag="objects_expired", ended=_ENDED)
_LOGS: Final = """
    SELECT id FROM task_runs
    WHERE namespace = ? AND pipeline = ? AND run = ? AND logs_expired = 0 AND logs_removed = 0 LIMIT ?
"""
_EXPIRE_LOG: Final = """
    UPDATE task_runs SET logs_expired = 1, logs_removed = 1 WHERE namespace = ? AND pipeline = ? AND run = ? AND id = ?
"""
_EXPIRE_LOGS: Final = "UPDATE runs SET logs_expired = 1 WHERE namespace = ? AND pipeline = ? AND id = ?"
_EXPIRE_OBJECTS: Final = f"""
    UPDATE runs SET objects_expired = 1
    WHERE namespace = ? AND pipeline = ? AND id = ? AND objects_expired = 0 AND state IN ({_ENDED})
"""  # noqa: S608 (built from constants)
_OBJECTS_OVER: Final = """
    SELECT namespace, id FROM pipelines WHERE (
        SELECT count(*) FROM objects
        WHERE objects.namespace = pipelines.namespace AND objects.pipeline = pipelines.id AND coalesce(run, 0) = 0
    ) > ? LIMIT ?
"""
_VERSIONS_OVER: Final = """
    SELECT namespace, pipeline AS id FROM pipeline_configs WHERE (namespace, pipeline) > (?, ?)
    GROUP BY namespace, pipeline HAVING count(*) > ? ORDER BY namespace, pipeline LIMIT ?
"""
_HAS_OLD_REQUEST: Final = """
    SELECT 1 FROM runs INDEXED BY runs_request_age WHERE request_id <> '' AND created_at < ? LIMIT 1
"""
_FORGET_REQUESTS: Final = """
    UPDATE runs SET request_id = '' WHERE place IN (
        SELECT place FROM runs INDEXED BY runs_request_age WHERE request_id <> '' AND created_at < ?
        ORDER BY created_at LIMIT ?
    )
"""
_BEFORE_ALL: Final = ("", "", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsDue:
    """Logs of one run that are due to go; `all_of_run` tells that it has no others."""

    run: RunKey
    task_runs: tuple[TaskRunKey, ...]
    all_of_run: bool


class RetentionRepository:
    """What is due to go, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def logs_due(self, *, keep: int, after: RunKey | None, limit: int) -> tuple[LogsDue, ...]:
        """Give up to `limit` runs behind `after` whose logs are due, with as many logs of theirs together."""
        found: list[LogsDue] = []
        left = limit
        for run in self._due(_RUNS_WITH_LOGS, keep=keep, after=after, limit=limit):
            rows = self._connection.execute(_LOGS, (run.namespace, run.pipeline, run.run, left + 1)).fetchall()
            tasks = tuple(run.task(TaskId(row["id"])) for row in rows[:left])
            found.append(LogsDue(run=run, task_runs=tasks, all_of_run=len(rows) <= left))
            left -= len(tasks)
            if left <= 0:
                break
        return tuple(found)

    def expire_logs(self, task_runs: Iterable[TaskRunKey]) -> None:
        """Store that the logs of these task runs are gone."""
        values = [(each.namespace, each.pipeline, each.run, each.task) for each in task_runs]
        self._connection.executemany(_EXPIRE_LOG, values)

    def expire_logs_of(self, run: RunKey) -> None:
        """Store that a run has no logs any more."""
        self._connection.execute(_EXPIRE_LOGS, (run.namespace, run.pipeline, run.run))

    def objects_due(self, *, keep: int, limit: int) -> tuple[RunKey, ...]:
        """Give up to `limit` runs whose objects are due."""
        return tuple(self._due(_RUNS_WITH_OBJECTS, keep=keep, after=None, limit=limit))

    def expire_objects(self, run: RunKey) -> bool:
        """Store that the objects of a run are gone; tell whether that is news of a run that is there."""
        return self._connection.execute(_EXPIRE_OBJECTS, (run.namespace, run.pipeline, run.run)).rowcount > 0

    def pipelines_over_objects(self, keep: int, limit: int) -> tuple[PipelineKey, ...]:
        """Name up to `limit` pipelines that have more than `keep` objects of their own."""
        return tuple(map(_pipeline_of, self._connection.execute(_OBJECTS_OVER, (keep, limit))))

    def pipelines_over_versions(self, keep: int, *, after: PipelineKey | None, limit: int) -> tuple[PipelineKey, ...]:
        """Name up to `limit` pipelines behind `after` that have more than `keep` versions, also where all must stay."""
        place = ("", "") if after is None else (after.namespace, after.pipeline)
        return tuple(map(_pipeline_of, self._connection.execute(_VERSIONS_OVER, (*place, keep, limit))))

    def has_request_ids(self, before: datetime) -> bool:
        """Tell whether a run from before that time still has its request id."""
        return self._connection.execute(_HAS_OLD_REQUEST, (to_ms(before),)).fetchone() is not None

    def forget_request_ids(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` of the oldest request ids from before that time, and say how many."""
        return self._connection.execute(_FORGET_REQUESTS, (to_ms(before), limit)).rowcount

    def _due(self, sql: str, *, keep: int, after: RunKey | None, limit: int) -> list[RunKey]:
        namespace, pipeline, run = _BEFORE_ALL if after is None else (after.namespace, after.pipeline, after.run)
        values = {"keep": keep, "namespace": namespace, "pipeline": pipeline, "run": run, "limit": limit}
        return [
            RunKey(namespace=NamespaceId(row["namespace"]), pipeline=PipelineId(row["pipeline"]), run=RunId(row["id"]))
            for row in self._connection.execute(sql, values)
        ]


def _pipeline_of(row: Row) -> PipelineKey:
    return PipelineKey(namespace=NamespaceId(row["namespace"]), pipeline=PipelineId(row["id"]))
