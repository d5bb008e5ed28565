"""Namespaces."""

from gofer.api.caller import current_caller
from gofer.api.convert.common import page_of
from gofer.api.convert.namespaces import namespace_draft_of, namespace_to_proto
from gofer.services.deletion import Deletion
from gofer.services.namespaces import Namespaces
from gofer_sdk._proto import proto


class NamespaceHandlers(proto.GoferBase):
    """The RPCs about namespaces."""

    def __init__(self, *, namespaces: Namespaces, deletion: Deletion, results_limit: int) -> None:
        """Give at most `results_limit` items of a list at once."""
        self._namespaces = namespaces
        self._deletion = deletion
        self._results_limit = results_limit

    async def list_namespaces(self, message: proto.ListNamespacesRequest) -> proto.ListNamespacesResponse:
        """Serve ListNamespaces."""
        listed = await self._namespaces.list(current_caller(), page_of(message, self._results_limit))
        return proto.ListNamespacesResponse(
            namespaces=[namespace_to_proto(found) for found in listed.items], next_cursor=listed.next_cursor
        )

    async def create_namespace(self, message: proto.CreateNamespaceRequest) -> proto.CreateNamespaceResponse:
        """Serve CreateNamespace."""
        made = await self._namespaces.create(current_caller(), namespace_draft_of(message))
        return proto.CreateNamespaceResponse(namespace=namespace_to_proto(made))

    async def get_namespace(self, message: proto.GetNamespaceRequest) -> proto.GetNamespaceResponse:
        """Serve GetNamespace."""
        found = await self._namespaces.get(current_caller(), message.id)
        return proto.GetNamespaceResponse(namespace=namespace_to_proto(found))

    async def update_namespace(self, message: proto.UpdateNamespaceRequest) -> proto.UpdateNamespaceResponse:
        """Serve UpdateNamespace."""
        await self._namespaces.update(current_caller(), namespace_draft_of(message))
        return proto.UpdateNamespaceResponse()

    async def delete_namespace(self, message: proto.DeleteNamespaceRequest) -> proto.DeleteNamespaceResponse:
        """Serve DeleteNamespace."""
        event = await self._deletion.delete_namespace(current_caller(), message.id, wait=not message.no_wait)
        return proto.DeleteNamespaceResponse(after_event=event)
