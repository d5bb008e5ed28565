"""Pipelines and their configs (versions) in the database."""

from datetime import datetime, timedelta
from typing import Final

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, Version
from gofer.core.pipeline import ConfigState, LiveVersion, Pipeline, PipelineConfig
from gofer.core.times import maybe_to_ms, to_ms
from gofer.sqlite import Connection, Row
from gofer.storage.deployments import DeploymentRepository
from gofer.storage.page import Listed, Page, cut, within_bytes
from gofer.storage.rows import (
    SHORT_CHARACTERS,
    config_of,
    duration_of,
    duration_to_row,
    pipeline_of,
    tasks_of,
    tasks_to_json,
)

_FIND: Final = "SELECT * FROM pipelines WHERE namespace = ? AND id = ?"
_LIST: Final = """
    SELECT * FROM pipelines
    WHERE namespace = :namespace AND (:before IS NULL OR id < :before) AND (:only IS NULL OR id = :only)
    ORDER BY id DESC LIMIT :limit OFFSET :offset
"""
_INSERT: Final = "INSERT INTO pipelines (namespace, id, state, created_at, modified_at) VALUES (?, ?, ?, ?, ?)"
_UPDATE: Final = "UPDATE pipelines SET state = ?, modified_at = ? WHERE namespace = ? AND id = ?"
_LAST_VERSION: Final = "SELECT last_version FROM pipelines WHERE namespace = ? AND id = ?"
_RAISE_LAST_VERSION: Final = """
    UPDATE pipelines SET last_version = max(last_version, ?) WHERE namespace = ? AND id = ?
"""

_FIND_CONFIG: Final = "SELECT * FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND version = ?"
_FIND_LIVE: Final = "SELECT * FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND state = 'LIVE'"
_LIVE_VERSION: Final = """
    SELECT version, parallelism, tasks, run_timeout_ms FROM pipeline_configs
    WHERE namespace = ? AND pipeline = ? AND state = 'LIVE'
"""
_FIND_PARALLELISM: Final = (
    "SELECT parallelism FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND version = ?"
)
_FIND_RUN_TIMEOUT: Final = (
    "SELECT run_timeout_ms FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND version = ?"
)
_LIST_CONFIGS: Final = """
    SELECT * FROM pipeline_configs
    WHERE namespace = :namespace AND pipeline = :pipeline AND (:before IS NULL OR version < :before)
    ORDER BY version DESC LIMIT :limit OFFSET :offset
"""
_INSERT_CONFIG: Final = """
    INSERT INTO pipeline_configs
    (namespace, pipeline, version, name, description, parallelism, tasks, state, registered_at, deprecated_at,
     run_timeout_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_CONFIG_STATE: Final = (
    "UPDATE pipeline_configs SET state = ?, deprecated_at = ? WHERE namespace = ? AND pipeline = ? AND version = ?"
)
# What a run was made from stays, and doesn't count: else those without a run would all have to go for it.
_WITHOUT_RUNS: Final = """
    FROM pipeline_configs AS config WHERE namespace = :namespace AND pipeline = :pipeline
    AND NOT EXISTS (
        SELECT 1 FROM runs
        WHERE runs.namespace = :namespace AND runs.pipeline = :pipeline AND runs.version = config.version
    )
"""
_COUNT_CONFIGS: Final = "SELECT count(*) FROM pipeline_configs WHERE namespace = ? AND pipeline = ?"
_DELETE_CONFIG: Final = "DELETE FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND version = ?"
_PRUNABLE: Final = f"""
    SELECT version {_WITHOUT_RUNS} AND state <> 'LIVE' AND version <> :spare
    ORDER BY version LIMIT min(:most, max(0, (SELECT count(*) {_WITHOUT_RUNS}) - :keep))
"""
_PRUNE_CONFIGS: Final = f"""
    DELETE FROM pipeline_configs WHERE namespace = :namespace AND pipeline = :pipeline AND version IN ({_PRUNABLE})
    RETURNING version
"""  # noqa: S608 (built from constants)


class PipelineRepository(DeploymentRepository):
    """The pipelines, their configs and deployments, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection

    # ---------------------------------------------------------------- pipelines

    def find(self, key: PipelineKey) -> Pipeline | None:
        """Give the pipeline, or None where there is none."""
        row = self._connection.execute(_FIND, (key.namespace, key.pipeline)).fetchone()
        return None if row is None else pipeline_of(row)

    def get(self, key: PipelineKey) -> Pipeline:
        """Give the pipeline. Raises `NotFound`."""
        found = self.find(key)
        if found is None:
            raise _not_found(key)
        return found

    def get_kept(self, key: PipelineKey) -> Pipeline:
        """Give the pipeline, for new work on it. Raises `NotFound`, and `FailedPrecondition` for one being deleted."""
        found = self.get(key)
        if found.deleting_at is not None:
            raise FailedPrecondition(
                f"pipeline {key} is being deleted: wait until it is gone, or choose another id",
                namespace=key.namespace,
                pipeline=key.pipeline,
            )
        return found

    def list(self, namespace: NamespaceId, page: Page, *, only: PipelineId | None = None) -> Listed[Pipeline]:
        """Give a namespace's pipelines by id, descending; with `only` that one, if it is there."""
        (before,) = page.after((str,)) or (None,)
        rows = self._connection.execute(
            _LIST,
            {
                "namespace": namespace,
                "before": before,
                "only": only,
                "limit": page.size + 1,
                "offset": page.skip,
            },
        )
        return cut([pipeline_of(row) for row in rows], page, lambda last: (last.id,))

    def insert(self, pipeline: Pipeline) -> None:
        """Store a new pipeline. Raises `AlreadyExists`, or `FailedPrecondition` where its namespace does not exist."""
        self._connection.execute(
            _INSERT,
            (
                pipeline.namespace,
                pipeline.id,
                pipeline.state,
                to_ms(pipeline.created_at),
                to_ms(pipeline.modified_at),
            ),
        )

    def update(self, pipeline: Pipeline) -> None:
        """Store a pipeline's state and time of change. Raises `NotFound`."""
        values = (pipeline.state, to_ms(pipeline.modified_at), pipeline.namespace, pipeline.id)
        if self._connection.execute(_UPDATE, values).rowcount == 0:
            raise _not_found(pipeline.key)

    # ---------------------------------------------------------------- configs

    def find_config(self, key: PipelineKey, version: Version) -> PipelineConfig | None:
        """Give the config of a version, or None where there is none."""
        row = self._connection.execute(_FIND_CONFIG, (key.namespace, key.pipeline, version)).fetchone()
        return None if row is None else config_of(row)

    def get_config(self, key: PipelineKey, version: Version) -> PipelineConfig:
        """Give the config of a version. Raises `NotFound`."""
        found = self.find_config(key, version)
        if found is None:
            raise self._config_not_found(key, version)
        return found

    def find_live_config(self, key: PipelineKey) -> PipelineConfig | None:
        """Give the config that new runs use, or None where no version is live."""
        row = self._connection.execute(_FIND_LIVE, (key.namespace, key.pipeline)).fetchone()
        return None if row is None else config_of(row)

    def find_live_version(self, key: PipelineKey) -> LiveVersion | None:
        """Tell what new runs use, or None where no version is live."""
        row = self._connection.execute(_LIVE_VERSION, (key.namespace, key.pipeline)).fetchone()
        return None if row is None else _live_version_of(row)

    def get_parallelism(self, key: PipelineKey, version: Version) -> int:
        """Give a version's own limit of parallel runs (0 = none), without its tasks. Raises `NotFound`."""
        row = self._connection.execute(_FIND_PARALLELISM, (key.namespace, key.pipeline, version)).fetchone()
        if row is None:
            raise self._config_not_found(key, version)
        return int(row["parallelism"])

    def get_run_timeout(self, key: PipelineKey, version: Version) -> timedelta | None:
        """Give how long a run of a version may take (None = no limit), without its tasks. Raises `NotFound`."""
        row = self._connection.execute(_FIND_RUN_TIMEOUT, (key.namespace, key.pipeline, version)).fetchone()
        if row is None:
            raise self._config_not_found(key, version)
        return duration_of(row["run_timeout_ms"])

    def list_configs(self, key: PipelineKey, page: Page) -> Listed[PipelineConfig]:
        """Give a pipeline's configs, newest version first."""
        (before,) = page.after((int,)) or (None,)
        found = self._connection.execute(
            _LIST_CONFIGS,
            {
                "namespace": key.namespace,
                "pipeline": key.pipeline,
                "before": before,
                "limit": page.size + 1,
                "offset": page.skip,
            },
        )
        rows, more = within_bytes(found, "tasks", "name", "description")
        return cut([config_of(row) for row in rows], page, lambda last: (last.version,), more=more)

    def last_version(self, key: PipelineKey) -> Version:
        """Give the highest version number that the pipeline ever had; 0 where it has none or does not exist."""
        row = self._connection.execute(_LAST_VERSION, (key.namespace, key.pipeline)).fetchone()
        return Version(0 if row is None else row["last_version"])

    def insert_config(self, config: PipelineConfig) -> None:
        """Store a new version. Raises `AlreadyExists`, or `FailedPrecondition` where its pipeline does not exist."""
        self._connection.execute(
            _INSERT_CONFIG,
            (
                config.namespace,
                config.pipeline,
                config.version,
                config.name,
                config.description,
                config.parallelism,
                tasks_to_json(config.tasks),
                config.state,
                to_ms(config.registered_at),
                maybe_to_ms(config.deprecated_at),
                duration_to_row(config.run_timeout),
            ),
        )
        self._connection.execute(_RAISE_LAST_VERSION, (config.version, config.namespace, config.pipeline))

    def update_config_state(
        self, key: PipelineKey, version: Version, state: ConfigState, deprecated_at: datetime | None
    ) -> None:
        """Store where a version stands. Raises `NotFound`, and `AlreadyExists` for a second live version."""
        values = (state, maybe_to_ms(deprecated_at), key.namespace, key.pipeline, version)
        if self._connection.execute(_UPDATE_CONFIG_STATE, values).rowcount == 0:
            raise self._config_not_found(key, version)

    def count_configs(self, key: PipelineKey) -> int:
        """Count the versions of a pipeline."""
        return int(self._connection.execute(_COUNT_CONFIGS, (key.namespace, key.pipeline)).fetchone()[0])

    def delete_config(self, key: PipelineKey, version: Version) -> None:
        """Forget a version. Raises `NotFound`, and `FailedPrecondition` where a run was made from it."""
        if self._connection.execute(_DELETE_CONFIG, (key.namespace, key.pipeline, version)).rowcount == 0:
            raise self._config_not_found(key, version)

    def prune_configs(self, key: PipelineKey, *, keep: int, spare: Version, most: int) -> tuple[Version, ...]:
        """Delete the oldest versions beyond `keep`, `most` of them at once, and say which.

        The live version and `spare` stay, and so does every version that a stored run was made from, beside `keep`.
        """
        return self._versions(_PRUNE_CONFIGS, key, keep=keep, spare=spare, most=most)

    def is_prunable(self, key: PipelineKey, *, keep: int, spare: Version) -> bool:
        """Tell whether `prune_configs` would delete anything."""
        return bool(self._versions(_PRUNABLE, key, keep=keep, spare=spare, most=1))

    def _versions(self, sql: str, key: PipelineKey, *, keep: int, spare: Version, most: int) -> tuple[Version, ...]:
        values = {"namespace": key.namespace, "pipeline": key.pipeline, "keep": keep, "spare": spare, "most": most}
        return tuple(sorted(Version(row["version"]) for row in self._connection.execute(sql, values)))

    def _config_not_found(self, key: PipelineKey, version: Version) -> NotFound:
        if self.find(key) is None:
            return _not_found(key)
        return NotFound(
            f"pipeline {key} has no version {version}; `gofer pipeline config list {key.pipeline}` shows its versions",
            namespace=key.namespace,
            pipeline=key.pipeline,
            version=version,
        )


def _live_version_of(row: Row) -> LiveVersion:
    return LiveVersion(
        version=Version(row["version"]),
        parallelism=row["parallelism"],
        run_timeout=duration_of(row["run_timeout_ms"]),
        tasks=tasks_of(row) if len(row["tasks"]) <= SHORT_CHARACTERS else None,
    )


def _not_found(key: PipelineKey) -> NotFound:
    return NotFound(
        f"there is no pipeline {PipelineId(key.pipeline)!r} in namespace {key.namespace!r}; "
        "`gofer pipeline list` shows those that exist, `gofer up` registers one",
        namespace=key.namespace,
        pipeline=key.pipeline,
    )
