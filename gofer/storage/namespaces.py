"""Namespaces in the database."""

from collections.abc import Callable
from itertools import islice
from typing import Final

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.core.ids import NamespaceId
from gofer.core.pipeline import Namespace
from gofer.core.times import to_ms
from gofer.sqlite import Connection
from gofer.storage.page import Listed, Page, cut, within_bytes
from gofer.storage.rows import namespace_of

_FIND: Final = "SELECT * FROM namespaces WHERE id = ?"
_LIST: Final = "SELECT * FROM namespaces WHERE id > ? ORDER BY id"
_INSERT: Final = """
    INSERT INTO namespaces (id, name, description, created_at, modified_at) VALUES (?, ?, ?, ?, ?)
"""
_UPDATE: Final = "UPDATE namespaces SET name = ?, description = ?, modified_at = ? WHERE id = ?"


class NamespaceRepository:
    """The namespaces, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, namespace: NamespaceId) -> Namespace | None:
        """Give the namespace, or None where there is none."""
        row = self._connection.execute(_FIND, (namespace,)).fetchone()
        return None if row is None else namespace_of(row)

    def get(self, namespace: NamespaceId) -> Namespace:
        """Give the namespace. Raises `NotFound`."""
        found = self.find(namespace)
        if found is None:
            raise _not_found(namespace)
        return found

    def require_kept(self, namespace: NamespaceId) -> None:
        """Raise `NotFound`, or `FailedPrecondition` where the namespace is being deleted."""
        if self.get(namespace).deleting_at is not None:
            raise FailedPrecondition(
                f"the namespace {namespace!r} is being deleted: wait until it is gone, or choose another",
                namespace=namespace,
            )

    def list(self, page: Page, *, is_open: Callable[[NamespaceId], bool] = lambda _: True) -> Listed[Namespace]:
        """Give the namespaces by id, ascending; only those that `is_open` says yes to, and no others count."""
        (after,) = page.after((str,)) or ("",)
        rows = self._connection.execute(_LIST, (after,))
        found = islice((row for row in rows if is_open(row["id"])), page.skip, page.skip + page.size + 1)
        kept, more = within_bytes(found, "name", "description")
        rows.close()
        return cut([namespace_of(row) for row in kept], page, lambda last: (last.id,), more=more)

    def insert(self, namespace: Namespace) -> None:
        """Store a new namespace. Raises `AlreadyExists`."""
        self._connection.execute(
            _INSERT,
            (
                namespace.id,
                namespace.name,
                namespace.description,
                to_ms(namespace.created_at),
                to_ms(namespace.modified_at),
            ),
        )

    def update(self, namespace: Namespace) -> None:
        """Store a namespace's name, description and time of change. Raises `NotFound`."""
        values = (namespace.name, namespace.description, to_ms(namespace.modified_at), namespace.id)
        if self._connection.execute(_UPDATE, values).rowcount == 0:
            raise _not_found(namespace.id)


def _not_found(namespace: NamespaceId) -> NotFound:
    return NotFound(
        f"there is no namespace {namespace!r}; `gofer namespace list` shows those that exist, "
        f"`gofer namespace create` makes one",
        namespace=namespace,
    )
