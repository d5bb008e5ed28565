"""Where engines come from: entry points of installed packages, ours and third parties' alike.

A package declares a factory under a name in the group of its kind:

    [project.entry-points."gofer.scheduler_engines"]
    nomad = "gofer_nomad.engine:create"

The factory is called with that engine's settings block and gives an instance. It must not connect: that is done when
the engine is entered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.engines.in_words import InWords
from gofer.engines.protocols import ObjectStoreEngine, SchedulerEngine, SecretStoreEngine

SCHEDULER_GROUP: Final = "gofer.scheduler_engines"
OBJECT_STORE_GROUP: Final = "gofer.object_store_engines"
SECRET_STORE_GROUP: Final = "gofer.secret_store_engines"  # noqa: S105 (the name of a group)

Find = Callable[[str], Iterable[EntryPoint]]


def installed() -> Find:
    """Look at the installed packages; give what finds the entry points of a group among theirs."""
    found = entry_points()  # of all groups, as each look reads every package's
    return lambda group: found.select(group=group)


class EngineRegistry:
    """Knows the engines that are installed, by kind and name. Looks once, at its making.

    Whatever makes an engine raises `InvalidInput` where no package declares its name; the message lists those that are
    known. It raises `FailedPrecondition` where two packages declare it, its package can't be imported, what its factory
    gives is no engine of that kind, or either raises what is no error of Gofer's; the message names the entry point.
    """

    def __init__(self, *, find: Find | None = None) -> None:
        find = find or installed()
        self._schedulers = _Kind.of("scheduler engine", SchedulerEngine, find(SCHEDULER_GROUP))
        self._object_stores = _Kind.of("object store engine", ObjectStoreEngine, find(OBJECT_STORE_GROUP))
        self._secret_stores = _Kind.of("secret store engine", SecretStoreEngine, find(SECRET_STORE_GROUP))

    @property
    def scheduler_names(self) -> tuple[str, ...]:
        """The known scheduler engines, sorted."""
        return self._schedulers.names

    @property
    def object_store_names(self) -> tuple[str, ...]:
        """The known object store engines, sorted."""
        return self._object_stores.names

    @property
    def secret_store_names(self) -> tuple[str, ...]:
        """The known secret store engines, sorted."""
        return self._secret_stores.names

    @property
    def names_by_block(self) -> Mapping[str, tuple[str, ...]]:
        """The known engines by the block of the configuration that chooses among them."""
        return {
            "scheduler": self.scheduler_names,
            "object_store": self.object_store_names,
            "secret_store": self.secret_store_names,
        }

    def scheduler(self, name: str, settings: object) -> SchedulerEngine:
        """Make the scheduler engine of that name, not entered yet, from its settings block."""
        return cast("SchedulerEngine", self._schedulers.make(name, settings))

    def object_store(self, name: str, settings: object) -> ObjectStoreEngine:
        """Make the object store engine of that name, not entered yet, from its settings block."""
        return cast("ObjectStoreEngine", self._object_stores.make(name, settings))

    def secret_store(self, name: str, settings: object) -> SecretStoreEngine:
        """Make the secret store engine of that name, not entered yet, from its settings block."""
        return cast("SecretStoreEngine", self._secret_stores.make(name, settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """The engines of one kind."""

    words: str
    members: tuple[str, ...]  # what an engine of the kind must have
    declared: dict[str, list[EntryPoint]]

    @classmethod
    def of(cls, words: str, protocol: type, declared: Iterable[EntryPoint]) -> "_Kind":
        members = {name for name in vars(protocol) if not name.startswith("_")} | set(protocol.__annotations__)
        return cls(
            words=words,
            members=tuple(sorted(members | {"__aenter__", "__aexit__"})),
            declared=_by_name(declared),
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.declared))

    def make(self, name: str, settings: object) -> object:
        declared = self.declared.get(name)
        if declared is None:
            names = ", ".join(self.names) or "none"
            raise InvalidInput(f"there is no {self.words} {name[:64]!r}; known are: {names}", engine=name)
        if len(declared) > 1:
            packages = " and ".join(sorted(_package(entry) for entry in declared))
            raise FailedPrecondition(
                f"the {self.words} {name} is declared by {packages}; uninstall all but one", engine=name
            )
        entry = declared[0]
        factory = self._load(entry)
        with InWords(lambda: f"{self._named(entry)} can't be made", FailedPrecondition):
            engine = factory(settings)
        missing = [member for member in self.members if not hasattr(engine, member)]
        if missing:
            raise FailedPrecondition(
                f"the {self.words} {name} is incomplete: it lacks {', '.join(missing)}", engine=name
            )
        return engine

    def _load(self, entry: EntryPoint) -> Callable[[object], object]:
        with InWords(lambda: f"{self._named(entry)} can't be loaded", FailedPrecondition):
            factory = entry.load()
        if not callable(factory):
            raise FailedPrecondition(
                f"the {self.words} {entry.name}: {entry.value} is no factory, it can't be called", engine=entry.name
            )
        return cast("Callable[[object], object]", factory)

    def _named(self, entry: EntryPoint) -> str:
        return f"the {self.words} {entry.name} ({entry.value}, from {_package(entry)})"


def _by_name(declared: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for entry in declared:
        same = found.setdefault(entry.name, [])
        if all(entry.value != other.value for other in same):  # one package found twice on the path is one package
            same.append(entry)
    return found


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else entry.dist.name
