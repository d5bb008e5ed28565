"""Namespaces: make, look up, change; and which one a request is about."""

from dataclasses import dataclass, replace

from gofer.core.access import Caller
from gofer.core.errors import AlreadyExists, InvalidInput
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
    """Give the namespace that a request is about: the one that it names, else the caller's own.

    Raises `PermissionDenied` where it is closed to the caller, and `NotFound` for one that does not exist.
    """
    wanted = NamespaceId(namespace) if namespace else caller.home
    # Asked first: what is closed to a caller does not tell them whether it exists.
    caller.require(wanted)
    if namespace or wanted != DEFAULT_NAMESPACE:
        unit.namespaces.get(wanted)
    return wanted


class Namespaces:
    """The use cases of namespaces. Every method raises `NotFound` for what does not exist."""

    def __init__(self, *, database: Database[Unit]) -> None:
        self._database = database

    async def list(self, caller: Caller, page: Page) -> Listed[Namespace]:
        """Give the namespaces that are open to the caller by id, ascending."""
        return await self._database.read(lambda unit: unit.namespaces.list(page, is_open=caller.allows))

    async def get(self, caller: Caller, namespace: str) -> Namespace:
        """Give one namespace. Raises `PermissionDenied`."""
        wanted = _named(namespace)
        caller.require(wanted)
        return await self._database.read(lambda unit: unit.namespaces.get(wanted))

    async def create(self, caller: Caller, draft: NamespaceDraft) -> Namespace:
        """Store a new namespace. Raises `PermissionDenied`, `InvalidInput` with every fault, and `AlreadyExists`."""
        caller.require_admin()
        faults = [fault_of_id(draft.id, "namespace id"), *_text_faults(draft)]
        if not draft.name:
            faults.append("the namespace's name is missing: give it one, for people")
        _refuse(faults)

        def write(unit: Unit) -> Namespace:
            if unit.namespaces.find(NamespaceId(draft.id)) is not None:
                unit.namespaces.require_kept(NamespaceId(draft.id))
                raise AlreadyExists(
                    f"there is a namespace {draft.id!r} already; choose another id, "
                    f"or change it with `gofer namespace update {draft.id}`",
                    namespace=draft.id,
                )
            return _insert(unit, draft)

        return await self._database.write(write)

    async def update(self, caller: Caller, draft: NamespaceDraft) -> None:
        """Store another name and description; what is empty becomes empty.

        Raises `PermissionDenied` and `InvalidInput`.
        """
        caller.require_admin()
        wanted = _named(draft.id)
        _refuse(_text_faults(draft))

        def write(unit: Unit) -> None:
            unit.namespaces.require_kept(wanted)
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
