"""Namespaces: make, look up, change; and which one a request is about."""

from dataclasses import dataclass, replace

from gofer.core.access import Caller
from gofer.core.errors import AlreadyExists, InvalidInput, PermissionDenied
from gofer.core.events import NamespaceCreated
from gofer.core.ids import DEFAULT_NAMESPACE, NamespaceId
from gofer.core.pipeline import Namespace
from gofer.sqlite import Database
from gofer.storage.page import Listed, Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import MAX_DESCRIPTION_BYTES, MAX_NAME_BYTES
from gofer_sdk.rules.ids import fault_of_id
from gofer_sdk.rules.text import fault_of_text


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceDraft:
    """A namespace as a caller describes it, nothing checked yet."""

    id: str
    name: str
    description: str


def resolve_namespace(unit: Unit, caller: Caller, namespace: str) -> NamespaceId:
    """Give the namespace that a request is about: the one that it names, else the default one.

    Raises `PermissionDenied` where it is closed to the caller, and `NotFound` for one that does not exist.
    """
    wanted = NamespaceId(namespace) if namespace else DEFAULT_NAMESPACE
    # Asked first: what is closed to a caller does not tell them whether it exists.
    if not caller.allows(wanted):
        raise PermissionDenied(f"your token does not open the namespace {wanted!r}", namespace=wanted)
    if namespace:
        unit.namespaces.get(wanted)
    return wanted


class Namespaces:
    """The use cases of namespaces. Every method raises `NotFound` for what does not exist."""

    def __init__(self, *, database: Database[Unit]) -> None:
        self._database = database

    async def list(self, caller: Caller, page: Page) -> Listed[Namespace]:  # noqa: ARG002 - every caller may
        """Give the namespaces by id, ascending."""
        return await self._database.read(lambda unit: unit.namespaces.list(page))

    async def get(self, caller: Caller, namespace: str) -> Namespace:  # noqa: ARG002 - every caller may
        """Give one namespace."""
        wanted = _named(namespace)
        return await self._database.read(lambda unit: unit.namespaces.get(wanted))

    async def create(self, caller: Caller, draft: NamespaceDraft) -> Namespace:  # noqa: ARG002 - until there are tokens
        """Store a new namespace. Raises `InvalidInput` with every fault, and `AlreadyExists`."""
        faults = [fault_of_id(draft.id, "namespace id"), *_text_faults(draft)]
        if not draft.name:
            faults.append("the namespace's name is missing: give it one, for people")
        _refuse(faults)

        def write(unit: Unit) -> Namespace:
            if unit.namespaces.find(NamespaceId(draft.id)) is not None:
                raise AlreadyExists(
                    f"there is a namespace {draft.id!r} already; choose another id, "
                    f"or change it with `gofer namespace update {draft.id}`",
                    namespace=draft.id,
                )
            return _insert(unit, draft)

        return await self._database.write(write)

    async def update(self, caller: Caller, draft: NamespaceDraft) -> None:  # noqa: ARG002 - until there are tokens
        """Store another name and description; what is empty becomes empty. Raises `InvalidInput`."""
        wanted = _named(draft.id)
        _refuse(_text_faults(draft))

        def write(unit: Unit) -> None:
            found = unit.namespaces.get(wanted)
            unit.namespaces.update(replace(found, name=draft.name, description=draft.description, modified_at=unit.now))

        await self._database.write(write)

    async def ensure_default(self) -> None:
        """Make the default namespace where there is none yet; for the start of the server."""
        draft = NamespaceDraft(
            id=DEFAULT_NAMESPACE, name="Default", description="The namespace of whoever names no other."
        )

        def write(unit: Unit) -> None:
            if unit.namespaces.find(DEFAULT_NAMESPACE) is None:
                _insert(unit, draft)

        await self._database.write(write)


def _insert(unit: Unit, draft: NamespaceDraft) -> Namespace:
    namespace = Namespace(
        id=NamespaceId(draft.id),
        name=draft.name,
        description=draft.description,
        created_at=unit.now,
        modified_at=unit.now,
    )
    unit.namespaces.insert(namespace)
    unit.record(NamespaceCreated(namespace_id=namespace.id))
    return namespace


def _named(namespace: str) -> NamespaceId:
    if not namespace:
        raise InvalidInput("the namespace's id is missing: name the namespace")
    return NamespaceId(namespace)


def _text_faults(draft: NamespaceDraft) -> list[str | None]:
    return [
        fault_of_text(draft.name, what="the namespace's name", max_bytes=MAX_NAME_BYTES),
        fault_of_text(draft.description, what="the namespace's description", max_bytes=MAX_DESCRIPTION_BYTES),
    ]


def _refuse(faults: list[str | None]) -> None:
    found = tuple(fault for fault in faults if fault)
    if found:
        raise InvalidInput("; ".join(found), faults=found)
