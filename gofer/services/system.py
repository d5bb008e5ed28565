"""The server itself: what it is and what its users should know."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gofer.core.access import Caller
from gofer.core.ids import InstanceId
from gofer.services.ingress import Ingress


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemInfo:
    """What the server is. `notes` are sentences for whoever uses it, such as that tasks run without isolation.

    `takes_runs` tells whether new runs are taken at the moment.
    """

    version: str
    commit: str
    dev_mode: bool
    scheduler_engine: str
    instance: InstanceId
    notes: tuple[str, ...] = ()
    takes_runs: bool = True


class System:
    """The use cases of the server itself."""

    def __init__(self, *, info: SystemInfo, ingress: Ingress, notes: Callable[[], tuple[str, ...]] = tuple) -> None:
        """Tell `info`, and after its notes those that hold at the moment of asking."""
        self._info = info
        self._ingress = ingress
        self._notes = notes

    async def get_info(self, caller: Caller) -> SystemInfo:
        """Give the server's version, kind and notes. Everybody may ask; what names runs is told to admins only."""
        notes = (*self._info.notes, *self._notes()) if caller.is_admin else self._info.notes
        return replace(self._info, notes=notes, takes_runs=self._ingress.is_open)

    async def toggle_ingress(self, caller: Caller) -> bool:
        """Refuse every new run from now on, or take them again; tell whether they are taken now.

        The next start of the server goes by its settings. Raises `PermissionDenied` for whoever is no admin.
        """
        return self._ingress.toggle(caller)
