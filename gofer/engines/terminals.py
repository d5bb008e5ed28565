"""An ability that a scheduler engine may have: commands on a terminal beside the program of a running container.

An engine has it by its method `attach`; `attaching` looks for that. Errors mean what they mean in
`gofer.engines.protocols`.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from gofer.core.errors import FailedPrecondition
from gofer.engines.protocols import ContainerHandle, SchedulerEngine

DEFAULT_TERM: Final = "xterm"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSize:
    """Rows and columns of characters, each at least 1."""

    rows: int = 24
    columns: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSpec:
    """What to run, and on what kind of terminal; `term` is the value of TERM."""

    command: tuple[str, ...]
    size: TerminalSize = field(default_factory=TerminalSize)
    term: str = DEFAULT_TERM

    @property
    def environment(self) -> Mapping[str, str]:
        """What the command gets beside the environment of its container."""
        return {"TERM": self.term}


class Terminal(Protocol):
    """A terminal with a command on it. `read` beside `write` or `resize` is fine, two reads at a time are not."""

    async def read(self) -> bytes:
        """Give what was printed since, waiting for at least a byte; empty once the command has ended.

        Cancelling loses nothing. Raises `EngineUnavailable` where the connection breaks.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Type these bytes; control characters mean what they mean on a terminal. Nothing once the command has ended.

        Waits while the command takes nothing; cancelled, some of the bytes may have been typed.
        """
        ...

    async def resize(self, size: TerminalSize) -> None:
        """Tell the command that its window has another size. Nothing once the command has ended."""
        ...

    async def exit_code(self) -> int | None:
        """Give how the command ended, after the last `read`; None where the engine can't tell any more."""
        ...


class AttachingEngine(Protocol):
    """A scheduler engine that has terminals."""

    def attach(self, handle: ContainerHandle, spec: TerminalSpec) -> AbstractAsyncContextManager[Terminal]:
        """Run the command on a terminal of its own, with the container's environment, user and folder.

        Leaving the context ends the command, also where it ignores that, before it returns (also by an error or a
        cancellation); the container goes on. May be open several times at once. The end of the container ends the
        command, on engines that isolate. A command that does not exist is told on the terminal. Raises `NotFound` for
        an unknown handle, and `FailedPrecondition` where the container does not run.
        """
        ...


def attaching(engine: SchedulerEngine) -> AttachingEngine:
    """Give the engine as one that has terminals. Raises `FailedPrecondition` where it has none."""
    if not hasattr(engine, "attach"):
        raise FailedPrecondition(
            f"nothing can be attached to tasks on the engine {engine.name!r}: it has no terminals", engine=engine.name
        )
    return cast("AttachingEngine", engine)
