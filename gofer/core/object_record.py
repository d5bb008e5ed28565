"""What is known of a stored object but for its content."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.ids import BlobId, PipelineKey, RunId

MAX_RUN_OBJECTS: Final = 10_000
"""Of one run, so that the list of them stays one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOwner:
    """What an object belongs to: a pipeline, or one run of it."""

    pipeline: PipelineKey
    run: RunId | None = None

    def __str__(self) -> str:
        """Give `pipeline namespace/pipeline` or `run namespace/pipeline/run`, for people and logs."""
        return f"pipeline {self.pipeline}" if self.run is None else f"run {self.pipeline}/{self.run}"

    @property
    def listing(self) -> str:
        """Give the command that shows its objects."""
        if self.run is None:
            return f"gofer pipeline object list {self.pipeline.pipeline}"
        return f"gofer run object list {self.pipeline.pipeline} {self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """A stored object: `blob` names its content in the object store, `created_at` is when that was put."""

    key: str
    blob: BlobId
    size_bytes: int
    created_at: datetime
