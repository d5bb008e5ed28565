"""The limit of the versions that a pipeline keeps."""

from typing import Final

from gofer.core.events import PipelineConfigDeleted
from gofer.core.ids import PipelineKey
from gofer.storage.unit import Unit

MOST_AT_ONCE: Final = 20
"""So that the writer is not held for long where there are very many."""


def prune_versions(unit: Unit, key: PipelineKey, *, keep: int) -> bool:
    """Delete the oldest versions of a pipeline beyond `keep`, 0 for all, and tell of each; whether there may be more.

    The newest version and the live one stay, and those that a stored run was made from, which don't count.
    """
    if not keep:
        return False
    newest = unit.pipelines.last_version(key)
    gone = unit.pipelines.prune_configs(key, keep=keep, spare=newest, most=MOST_AT_ONCE)
    for version in gone:
        unit.record(PipelineConfigDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline, version=version))
    return len(gone) >= MOST_AT_ONCE
