"""Terminals in the containers of running tasks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

import structlog

from gofer.bus import Bus, Lagged, Subscription
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, GoferError, InvalidInput, LimitReached, ShuttingDown
from gofer.core.events import Envelope, TaskRunCompleted
from gofer.core.ids import InstanceId, TaskRunKey
from gofer.core.run import TaskRun
from gofer.engines.protocols import ContainerHandle, SchedulerEngine
from gofer.engines.terminals import (
    DEFAULT_TERM,
    AttachingEngine,
    Terminal,
    TerminalSize,
    TerminalSpec,
    attaching,
)
from gofer.lifecycle import OwnedTasks, owned_tasks
from gofer.services.runs import Target
from gofer.services.task_runs import task_run_key
from gofer.sqlite import Database
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import MAX_ARGUMENT_BYTES
from gofer_sdk.rules.text import fault_of_text, list_faults

T = TypeVar("T")

_log = structlog.get_logger(__name__)

MOST_AT_ONCE: Final = 64
MOST_WORDS: Final = 1_000
MOST_CHARACTERS: Final = 10_000
"""The longest side of a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachWish:
    """What a caller wants to run, as it was sent; an empty command is `sh`."""

    command: tuple[str, ...] = ()
    size: TerminalSize = field(default_factory=TerminalSize)
    term: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last word of a terminal; None where the task run has ended first, or the engine can't tell."""

    exit_code: int | None


Typed: TypeAlias = bytes | TerminalSize
"""What a caller does: type, or change the size of the window."""

Printed: TypeAlias = bytes | Ended
"""What a caller gets: what the terminal prints, and at the end how the command ended."""


class Attachments:
    """The use cases of terminals."""

    def __init__(
        self,
        *,
        database: Database[Unit],
        bus: Bus[Envelope],
        engine_of: Callable[[str], Awaitable[SchedulerEngine]],
        instance: InstanceId,
    ) -> None:
        """Ask for engines by their names; they raise `GoferError` where they can't be had."""
        self._database = database
        self._bus = bus
        self._engine_of = engine_of
        self._instance = instance
        self._open = 0

    async def attach(
        self, caller: Caller, target: Target, wish: AttachWish, typed: AsyncIterator[Typed]
    ) -> AsyncGenerator[Printed, None]:
        """Run a command on a terminal beside a running task: what is typed goes in, what it prints comes out.

        Ends with the command, with the task run, and where `typed` ends; closing it ends the command, too. What is
        printed is not masked: whoever may attach can read all that the task can. Raises `NotFound`, `InvalidInput`,
        `FailedPrecondition` where the task does not run or its engine has no terminals, and `LimitReached`.
        """
        spec = _spec_of(wish)
        key = await self._database.read(lambda unit: task_run_key(unit, caller, target))
        # Heard from before its state is read: an end that is committed in between is told, never missed.
        with self._bus.subscribe(TaskRunCompleted) as ends, self._place():
            engine, handle = await self._running(key)
            _log.info("attached to a task run", task_run=str(key), program=spec.command[0])
            async with engine.attach(handle, spec) as terminal, owned_tasks() as tasks:
                session = _Session(terminal, tasks)
                session.feed(typed)
                session.until(self._end_of(key, ends))
                while not isinstance(printed := await session.next(), Ended):
                    yield printed
                yield printed

    async def _running(self, key: TaskRunKey) -> tuple[AttachingEngine, ContainerHandle]:
        """Give where the task runs. Raises `FailedPrecondition` where it does not."""
        task_run = await self._database.read(lambda unit: unit.runs.get_task_run(key))
        if not task_run.state.is_live or task_run.started_at is None:
            raise _not_running(task_run)
        engine = await self._engine_of(task_run.engine)
        able = attaching(engine)
        found = await engine.find(task_run.attempt_id(self._instance))
        if found is None:
            raise _not_running(task_run)
        return able, found.handle

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places that there are, for the length of the block."""
        if self._open >= MOST_AT_ONCE:
            raise LimitReached(f"{MOST_AT_ONCE} terminals are open, and no more may be: end one of them")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def _end_of(self, key: TaskRunKey, ends: Subscription[Envelope]) -> None:
        """Wait until the task run has ended."""
        while not (await self._database.read(lambda unit: unit.runs.get_task_run(key))).state.is_terminal:
            await _next_of(key, ends)


class _Session:
    """What goes on at one terminal: somebody types, something is printed, and each may end it.

    Errors are carried as values: between two `next` the one who would be told of them is somewhere else.
    """

    def __init__(self, terminal: Terminal, tasks: OwnedTasks) -> None:
        self._terminal = terminal
        self._tasks = tasks
        self._enders: set[asyncio.Task[Exception | None]] = set()
        self._reader: asyncio.Task[bytes | Exception] | None = None

    def feed(self, typed: AsyncIterator[Typed]) -> None:
        """Hand on what is typed; its end is the end."""
        self._enders.add(self._tasks.spawn(_caught(self._feed(typed)), name="typing"))

    def until(self, end: Awaitable[None]) -> None:
        """End where this ends."""
        self._enders.add(self._tasks.spawn(_caught(end), name="end of the task run"))

    async def next(self) -> Printed:
        """Give what is printed next. Raises what whoever types, or the terminal, has raised."""
        if self._reader is None:
            self._reader = self._tasks.spawn(_caught(self._terminal.read()), name="printing")
        await asyncio.wait({self._reader, *self._enders}, return_when=asyncio.FIRST_COMPLETED)
        for each in self._enders:
            if each.done():
                _value_of(each.result())
        if not self._reader.done():
            return Ended(exit_code=None)
        printed, self._reader = _value_of(self._reader.result()), None
        return printed or Ended(exit_code=await self._terminal.exit_code())

    async def _feed(self, typed: AsyncIterator[Typed]) -> None:
        async for each in typed:
            if isinstance(each, TerminalSize):
                await self._terminal.resize(_checked(each))
            else:
                await self._terminal.write(each)


async def _caught(work: Awaitable[T]) -> T | Exception:
    try:
        return await work
    except (GoferError, OSError) as error:
        return error


def _value_of(result: T | Exception) -> T:
    if isinstance(result, Exception):
        raise result
    return result


async def _next_of(key: TaskRunKey, ends: Subscription[Envelope]) -> None:
    """Wait until the end of the task run was told, or may have been."""
    try:
        async for envelope in ends:
            event = envelope.event
            if isinstance(event, TaskRunCompleted) and (
                (event.namespace_id, event.pipeline_id, event.run_id, event.task_run_id)
                == (key.namespace, key.pipeline, key.run, key.task)
            ):
                return
    except Lagged:
        return
    raise ShuttingDown("the server is going away")


def _not_running(task_run: TaskRun) -> FailedPrecondition:
    return FailedPrecondition(
        f"the task run {task_run.key} does not run, it is {task_run.state}: attach to it while it runs",
        task_run=str(task_run.key),
        state=task_run.state,
    )


def _spec_of(wish: AttachWish) -> TerminalSpec:
    faults = [
        fault
        for number, word in enumerate(wish.command, 1)
        if (fault := fault_of_text(word, what=f"part {number} of the command", max_bytes=MAX_ARGUMENT_BYTES))
    ][:MOST_WORDS]
    if len(wish.command) > MOST_WORDS:
        faults.append(f"the command has {len(wish.command):,} parts and at most {MOST_WORDS:,} are allowed")
    if wish.command and not wish.command[0]:
        faults.append("the command is empty: name a program, or leave it out for `sh`")
    if len(wish.term) > MOST_WORDS or not wish.term.isascii() or (wish.term and not wish.term.isprintable()):
        faults.append("term is no name of a terminal, such as xterm")
    if faults:
        raise InvalidInput(list_faults(faults), faults=tuple(faults))
    return TerminalSpec(command=wish.command or ("sh",), size=_checked(wish.size), term=wish.term or DEFAULT_TERM)


def _checked(size: TerminalSize) -> TerminalSize:
    if not (1 <= size.rows <= MOST_CHARACTERS and 1 <= size.columns <= MOST_CHARACTERS):
        raise InvalidInput(
            f"a window of {size.rows} rows and {size.columns} columns can't be: use 1 to {MOST_CHARACTERS:,} of each"
        )
    return size
