"""Objects on the wire."""

from gofer.api.convert.common import ms
from gofer.core.errors import InvalidInput
from gofer.core.object_record import ObjectRecord
from gofer.services.object_rules import ObjectTarget
from gofer_sdk._proto import proto


def record_to_proto(record: ObjectRecord) -> proto.ObjectStoreKey:
    """Give an object without its content."""
    return proto.ObjectStoreKey(key=record.key, created=ms(record.created_at), bytes=record.size_bytes)


def name_of(name: proto.ObjectName | None) -> tuple[ObjectTarget, str]:
    """Read which object is meant: whose, and its key. Raises `InvalidInput` where that is missing."""
    if name is None:
        raise InvalidInput("object is missing: the first message names the object")
    run = name.run_id if name.of_run else None
    return ObjectTarget(namespace=name.namespace_id, pipeline=name.pipeline_id, run=run), name.key
