"""Who calls, and what is open to them."""

from dataclasses import dataclass

from gofer.core.ids import NamespaceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls; `name` is for logs. To an admin everything is open, to others their `namespaces`."""

    name: str
    is_admin: bool
    namespaces: frozenset[NamespaceId] = frozenset()

    def allows(self, namespace: NamespaceId) -> bool:
        """Tell whether what is in the namespace is open to the caller."""
        return self.is_admin or namespace in self.namespaces
