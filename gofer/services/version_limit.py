"""The limit of the versions that a pipeline keeps."""

from typing import Final

from gofer.core.events import PipelineConfigDeleted
from gofer.core.ids import PipelineKey
from gofer.storage.unit import Unit

MOST_AT_ONCE: Final = 3
"""With a registration, which makes one. More are there where the limit was lowered, and a version may be large."""


def prune_versions(unit: Unit, key: PipelineKey, *, keep: int, most: int = MOST_AT_ONCE) -> bool:
    """Delete `most` of the oldest versions of a pipeline beyond `keep`, 0 for all; whether there may be more.

    Each is told of.
    The newest version and the live one stay, and those that a stored run was made from, which don't count.
    """
    if not keep:
        return False
    newest = unit.pipelines.last_version(key)
    gone = unit.pipelines.prune_configs(key, keep=keep, spare=newest, most=most)
    for version in gone:
        unit.record(PipelineConfigDeleted(namespace_id=key.namespace, pipeline_id=key.pipeline, version=version))
    return len(gone) >= most
