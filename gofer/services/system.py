"""The server itself: what it is and what its users should know."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gofer.core.access import Caller
from gofer.core.ids import InstanceId


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemInfo:
    """What the server is. `notes` are sentences for whoever uses it, such as that tasks run without isolation."""

    version: str
    commit: str
    dev_mode: bool
    scheduler_engine: str
    instance: InstanceId
    notes: tuple[str, ...] = ()


class System:
    """The use cases of the server itself."""

    def __init__(self, *, info: SystemInfo, notes: Callable[[], tuple[str, ...]] = tuple) -> None:
        """Tell `info`, and after its notes those that hold at the moment of asking."""
        self._info = info
        self._notes = notes

    async def get_info(self, caller: Caller) -> SystemInfo:
        """Give the server's version, kind and notes. Everybody may ask; what names runs is told to admins only."""
        return replace(self._info, notes=(*self._info.notes, *self._notes())) if caller.is_admin else self._info
