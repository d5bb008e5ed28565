"""Namespaces on the wire."""

from gofer.api.convert.common import ms
from gofer.core.pipeline import Namespace
from gofer.services.namespaces import NamespaceDraft
from gofer_sdk._proto import proto


def namespace_to_proto(namespace: Namespace) -> proto.Namespace:
    """Give a namespace."""
    return proto.Namespace(
        id=namespace.id,
        name=namespace.name,
        description=namespace.description,
        created=ms(namespace.created_at),
        modified=ms(namespace.modified_at),
        deleting=ms(namespace.deleting_at),
    )


def namespace_draft_of(request: proto.CreateNamespaceRequest | proto.UpdateNamespaceRequest) -> NamespaceDraft:
    """Read what a caller wants a namespace to be."""
    return NamespaceDraft(id=request.id, name=request.name, description=request.description)
