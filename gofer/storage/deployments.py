"""Deployments of pipelines in the database."""

from typing import Final

from gofer.core.errors import NotFound
from gofer.core.ids import DeploymentId, PipelineKey
from gofer.core.pipeline import Deployment
from gofer.core.times import maybe_to_ms, to_ms
from gofer.sqlite import Connection
from gofer.storage.page import Listed, Page, cut
from gofer.storage.rows import deployment_of

_FIND: Final = "SELECT * FROM deployments WHERE namespace = ? AND pipeline = ? AND id = ?"
_RUNNING: Final = "SELECT * FROM deployments WHERE namespace = ? AND pipeline = ? AND state = 'RUNNING'"
_ALL_RUNNING: Final = "SELECT * FROM deployments WHERE state = 'RUNNING' ORDER BY namespace, pipeline"
_LIST: Final = """
    SELECT * FROM deployments
    WHERE namespace = :namespace AND pipeline = :pipeline AND (:before IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit OFFSET :offset
"""
_LAST_ID: Final = "SELECT last_deployment FROM pipelines WHERE namespace = ? AND id = ?"
_RAISE_LAST_ID: Final = """
    UPDATE pipelines SET last_deployment = max(last_deployment, ?) WHERE namespace = ? AND id = ?
"""
_INSERT: Final = """
    INSERT INTO deployments
    (namespace, pipeline, id, start_version, end_version, state, reason, started_at, ended_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE: Final = """
    UPDATE deployments SET state = ?, reason = ?, ended_at = ? WHERE namespace = ? AND pipeline = ? AND id = ?
"""


class DeploymentRepository:
    """The deployments, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_deployment(self, key: PipelineKey, deployment: DeploymentId) -> Deployment:
        """Give the deployment. Raises `NotFound`."""
        row = self._connection.execute(_FIND, (key.namespace, key.pipeline, deployment)).fetchone()
        if row is None:
            raise _not_found(key, deployment)
        return deployment_of(row)

    def running_deployment(self, key: PipelineKey) -> Deployment | None:
        """Give the pipeline's deployment that has not ended, or None where there is none."""
        row = self._connection.execute(_RUNNING, (key.namespace, key.pipeline)).fetchone()
        return None if row is None else deployment_of(row)

    def running_deployments(self) -> list[Deployment]:
        """Give every deployment that has not ended, of all pipelines."""
        return [deployment_of(row) for row in self._connection.execute(_ALL_RUNNING)]

    def list_deployments(self, key: PipelineKey, page: Page) -> Listed[Deployment]:
        """Give a pipeline's deployments, newest first."""
        (before,) = page.after((int,)) or (None,)
        rows = self._connection.execute(
            _LIST,
            {
                "namespace": key.namespace,
                "pipeline": key.pipeline,
                "before": before,
                "limit": page.size + 1,
                "offset": page.skip,
            },
        )
        return cut([deployment_of(row) for row in rows], page, lambda last: (last.id,))

    def last_deployment_id(self, key: PipelineKey) -> DeploymentId:
        """Give the highest deployment id that the pipeline ever had; 0 where it has none or does not exist."""
        row = self._connection.execute(_LAST_ID, (key.namespace, key.pipeline)).fetchone()
        return DeploymentId(0 if row is None else row["last_deployment"])

    def insert_deployment(self, deployment: Deployment) -> None:
        """Store a new deployment. Raises `AlreadyExists` for a taken id, and for a second one under way."""
        self._connection.execute(
            _INSERT,
            (
                deployment.namespace,
                deployment.pipeline,
                deployment.id,
                deployment.start_version,
                deployment.end_version,
                deployment.state,
                deployment.reason,
                to_ms(deployment.started_at),
                maybe_to_ms(deployment.ended_at),
            ),
        )
        self._connection.execute(_RAISE_LAST_ID, (deployment.id, deployment.namespace, deployment.pipeline))

    def update_deployment(self, deployment: Deployment) -> None:
        """Store a deployment's state, reason and end. Raises `NotFound`."""
        values = (
            deployment.state,
            deployment.reason,
            maybe_to_ms(deployment.ended_at),
            deployment.namespace,
            deployment.pipeline,
            deployment.id,
        )
        if self._connection.execute(_UPDATE, values).rowcount == 0:
            key = PipelineKey(namespace=deployment.namespace, pipeline=deployment.pipeline)
            raise _not_found(key, deployment.id)


def _not_found(key: PipelineKey, deployment: DeploymentId) -> NotFound:
    return NotFound(
        f"pipeline {key} has no deployment {deployment}; "
        f"`gofer pipeline deployment list {key.pipeline}` shows its deployments",
        namespace=key.namespace,
        pipeline=key.pipeline,
        deployment=deployment,
    )
