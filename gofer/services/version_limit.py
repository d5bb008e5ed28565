"""The limit of the versions that a pipeline keeps."""

from gofer.core.events import PipelineConfigDeleted
from gofer.core.ids import PipelineKey
from gofer.storage.unit import Unit


def prune_versions(unit: Unit, key: PipelineKey, *, keep: int) -> None:
    """Delete the oldest versions of a pipeline beyond `keep`, 0 for all, and tell of each.

    The newest version and the live one stay, and those that a stored run was made from, which don't count.
    """
    if not keep:
        return
    newest = unit.pipelines.last_version(key)
    for version in unit.pipelines.prune_configs(key, keep=keep, spare=newest):
        unit.record(PipelineConfigDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline, version=version))
