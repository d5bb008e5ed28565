"""Where engines come from: entry points of installed packages, ours and third parties' alike.

A package declares a factory under a name in the group of its kind:

    [project.entry-points."gofer.scheduler_engines"]
    nomad = "gofer_nomad.engine:create"

The factory is called with that engine's settings block and gives an instance. It must not connect: that is done when
the engine is entered.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.engines.protocols import SchedulerEngine

SCHEDULER_GROUP: Final = "gofer.scheduler_engines"
_SCHEDULER_MEMBERS: Final = tuple(
    sorted(
        {name for name in vars(SchedulerEngine) if not name.startswith("_")}
        | set(SchedulerEngine.__annotations__)
        | {"__aenter__", "__aexit__"}
    )
)


def installed(group: str) -> Iterable[EntryPoint]:
    """Give the entry points of a group that the installed packages declare."""
    return entry_points(group=group)


class EngineRegistry:
    """Knows the engines that are installed, by kind and name. Looks once, at its making."""

    def __init__(self, *, find: Callable[[str], Iterable[EntryPoint]] = installed) -> None:
        self._schedulers = _by_name(find(SCHEDULER_GROUP))

    @property
    def scheduler_names(self) -> tuple[str, ...]:
        """The known scheduler engines, sorted."""
        return tuple(sorted(self._schedulers))

    def scheduler(self, name: str, settings: object) -> SchedulerEngine:
        """Make the scheduler engine of that name, not entered yet, from its settings block.

        Raises:
            InvalidInput: no package declares that name; the message lists those that are known.
            FailedPrecondition: two packages declare it, its package can't be imported, or what its factory gives is
                no scheduler engine.

        """
        engine = self._make(self._schedulers, name, settings)
        missing = [member for member in _SCHEDULER_MEMBERS if not hasattr(engine, member)]
        if missing:
            raise FailedPrecondition(
                f"the scheduler engine {name} is incomplete: it lacks {', '.join(missing)}", engine=name
            )
        return cast("SchedulerEngine", engine)

    def _make(self, known: dict[str, list[EntryPoint]], name: str, settings: object) -> object:
        declared = known.get(name)
        if declared is None:
            names = ", ".join(sorted(known)) or "none"
            raise InvalidInput(f"there is no scheduler engine {name[:64]!r}; known are: {names}", engine=name)
        if len(declared) > 1:
            packages = " and ".join(sorted(_package(entry) for entry in declared))
            raise FailedPrecondition(
                f"the scheduler engine {name} is declared by {packages}; uninstall all but one", engine=name
            )
        factory = _load(declared[0])
        return factory(settings)


def _by_name(declared: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for entry in declared:
        same = found.setdefault(entry.name, [])
        if all(entry.value != other.value for other in same):  # one package found twice on the path is one package
            same.append(entry)
    return found


def _load(entry: EntryPoint) -> Callable[[object], object]:
    try:
        factory = entry.load()
    except (ImportError, AttributeError) as error:
        raise FailedPrecondition(
            f"the scheduler engine {entry.name} ({entry.value}, from {_package(entry)}) can't be loaded: {error}",
            engine=entry.name,
        ) from error
    if not callable(factory):
        raise FailedPrecondition(
            f"the scheduler engine {entry.name}: {entry.value} is no factory, it can't be called", engine=entry.name
        )
    return cast("Callable[[object], object]", factory)


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else entry.dist.name
