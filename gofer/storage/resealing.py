"""The passwords that stored versions of pipelines hold, sealed: where they are, and sealing them again.

Nothing else of the tasks is looked at, and nothing of it changes.
"""

import base64
import json
from collections.abc import Callable
from typing import Final

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, Version
from gofer.sqlite import Connection

_LIST: Final = """
    SELECT namespace, pipeline, version FROM pipeline_configs WHERE instr(tasks, '"sealed_password"')
    ORDER BY namespace, pipeline, version
"""
_GET: Final = "SELECT tasks FROM pipeline_configs WHERE namespace = ? AND pipeline = ? AND version = ?"
_REPLACE: Final = """
    UPDATE pipeline_configs SET tasks = ? WHERE namespace = ? AND pipeline = ? AND version = ? AND tasks = ?
"""
_dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class SealedConfigRepository:
    """The versions that hold passwords, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> tuple[tuple[PipelineKey, Version], ...]:
        """Name every version that may hold a password. It looks at all versions: for readers only."""
        return tuple(
            (
                PipelineKey(namespace=NamespaceId(row["namespace"]), pipeline=PipelineId(row["pipeline"])),
                Version(row["version"]),
            )
            for row in self._connection.execute(_LIST)
        )

    def get(self, key: PipelineKey, version: Version) -> str:
        """Give the tasks of a version as they are stored. Raises `NotFound`."""
        row = self._connection.execute(_GET, (key.namespace, key.pipeline, version)).fetchone()
        if row is None:
            raise NotFound(f"pipeline {key} has no version {version}", pipeline=str(key), version=version)
        return str(row["tasks"])

    def replace(self, key: PipelineKey, version: Version, *, old: str, new: str) -> None:
        """Store other tasks in the place of `old`; nothing happens where those are not there any more."""
        self._connection.execute(_REPLACE, (new, key.namespace, key.pipeline, version, old))


def resealed_tasks(text: str, reseal: Callable[[bytes], bytes]) -> str:
    """Give stored tasks with what `reseal` makes of each password; the same text where it changes none.

    Raises what `reseal` raises, and `FailedPrecondition` where they are not what was stored.
    """
    changed = False
    try:
        tasks = json.loads(text)
        for auth in [task["registry_auth"] for task in tasks]:
            if auth is None:
                continue
            sealed = base64.b64decode(auth["sealed_password"])
            again = reseal(sealed)
            if again != sealed:
                auth["sealed_password"] = base64.b64encode(again).decode()
                changed = True
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise FailedPrecondition("the stored tasks can't be read; register the pipeline again") from error
    return _dump(tasks) if changed else text
