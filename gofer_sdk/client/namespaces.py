"""Namespaces."""

from collections.abc import AsyncGenerator

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.events import EventCalls, EventFilter
from gofer_sdk.client.page import Page, each_of
from gofer_sdk.client.present import present

NAMESPACE_DELETED = "NAMESPACE_DELETED"


class NamespaceCalls:
    """The folders that pipelines live in."""

    def __init__(self, calls: Calls, events: EventCalls) -> None:
        self._calls = calls
        self._events = events

    async def create(self, namespace: str, *, name: str, description: str = "") -> proto.Namespace:
        """Make a namespace; its id is 3 to 32 letters, digits and underscores.

        Raises AlreadyExists, InvalidInput, PermissionDenied.
        """
        request = proto.CreateNamespaceRequest(id=namespace, name=name, description=description)
        reply = await self._calls.once(request, proto.CreateNamespaceResponse)
        return present(reply.namespace, request)

    async def get(self, namespace: str) -> proto.Namespace:
        """Return one namespace.

        Raises NotFound, PermissionDenied.
        """
        request = proto.GetNamespaceRequest(id=namespace)
        reply = await self._calls.safe(request, proto.GetNamespaceResponse)
        return present(reply.namespace, request)

    async def list(self, *, limit: int = 0, offset: int = 0, cursor: str = "") -> Page[proto.Namespace]:
        """Return a page of the namespaces that the token opens, by id.

        `limit` 0 is the server's own limit.
        """
        request = proto.ListNamespacesRequest(limit=limit, offset=offset, cursor=cursor)
        reply = await self._calls.safe(request, proto.ListNamespacesResponse)
        return Page(items=tuple(reply.namespaces), next_cursor=reply.next_cursor)

    def each(self) -> AsyncGenerator[proto.Namespace, None]:
        """Yield all namespaces that the token opens, by id."""
        return each_of(lambda cursor: self.list(cursor=cursor))

    async def update(self, namespace: str, *, name: str, description: str = "") -> None:
        """Give a namespace another name and description.

        Raises NotFound, InvalidInput, PermissionDenied.
        """
        request = proto.UpdateNamespaceRequest(id=namespace, name=name, description=description)
        await self._calls.once(request, proto.UpdateNamespaceResponse)

    async def delete(self, namespace: str, *, wait: bool = True) -> None:
        """Delete a namespace with all that is in it; return when it is gone. What else as with a pipeline.

        Raises NotFound, PermissionDenied, FailedPrecondition (the namespace `default`).
        """
        request = proto.DeleteNamespaceRequest(id=namespace, no_wait=True)
        reply = await self._calls.once(request, proto.DeleteNamespaceResponse)
        if wait:
            only = EventFilter(kinds=(NAMESPACE_DELETED,), namespace=namespace)
            await self._events.wait_for(only, after_id=reply.after_event)
